# Every target sets up what it needs: a virtual environment in .venv with the package and its extras.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 2

# Plain torch brings gigabytes of CUDA. Without an NVIDIA GPU ask for the CPU build; with one, the choice is yours (TORCH=...).
HAS_GPU := $(shell nvidia-smi -L >/dev/null 2>&1 && echo yes)
TORCH ?= $(if $(HAS_GPU),torch,torch==2.13.0)
# A machine whose pip has its own wheels (find-links) keeps to them; any other takes PyTorch's index of CPU builds.
TORCH_INDEX ?= $(if $(HAS_GPU)$(shell $(PYTHON) -m pip config list 2>/dev/null | grep find-links),,--extra-index-url https://download.pytorch.org/whl/cpu)

.PHONY: help demo test test-slow format lint type docs bench paper build clean
help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml plugins/neurognode-pynapple/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)" $(TORCH_INDEX)
	$(BIN)/python -m pip install --quiet -e ".[dev]" -e plugins/neurognode-pynapple
	touch $@

demo: $(VENV)/.installed  ## simulate a known circuit and run the whole chain on it (CIRCUIT=ring, line, ...)
	$(BIN)/neurognode demo $(if $(CIRCUIT),--circuit $(CIRCUIT))

test: $(VENV)/.installed  ## tests, doctests, lint and types, under 10 minutes on two cores
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy neurognode
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not gpu"

test-slow: $(VENV)/.installed  ## scientific checks that take minutes each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "slow"

format: $(VENV)/.installed  ## let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(VENV)/.installed  ## ruff, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(VENV)/.installed  ## mypy
	$(BIN)/mypy neurognode

docs: $(VENV)/.installed  ## check every link in docs/ and README, run the tutorials
	$(BIN)/python -m pytest -m "" tests/test_docs.py tests/test_tutorials.py

bench: $(VENV)/.installed  ## speed benchmarks; results under benchmarks/speed/results
	$(BIN)/python -m benchmarks.speed.integrate
	$(BIN)/python -m benchmarks.speed.report
	$(BIN)/python -m benchmarks.speed.loaders
	$(BIN)/python -m benchmarks.speed.interpret

paper: $(VENV)/.installed  ## rerun the gnODE paper's experiments (QUICK=1: ten minutes; FULL=1: hours; ONLY=part)
	$(BIN)/python -m benchmarks.paper $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY))

build: $(VENV)/.installed  ## wheel and sdist in dist/
	$(BIN)/python -m build

clean:  ## remove the environment and caches
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
