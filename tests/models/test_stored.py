"""Trials that stay in their file: the same fit as from memory, and little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neurognode.errors import RecordingError
from neurognode.models import Ensemble, LatentDynamics, StoredTrials
from neurognode.trials import make_trials


def pieces(n: int = 3, ragged: bool = False) -> list[xr.Dataset]:
    rng = np.random.default_rng(0)
    made = []
    for k in range(n):
        observed = np.arange(15) < rng.integers(8, 16 if ragged else 9, 10)[:, None] if ragged else None
        made.append(
            make_trials(
                rng.poisson(0.5, (10, 15, 6)), bin_size=0.02, start=-0.1, observed=observed,
                inputs=rng.normal(size=(10, 15, 1)), input_names=["go"], absolute_start=20.0 * k + np.arange(10),
                units={"unit": [f"u{i}" for i in range(6)]},
            )
        )  # fmt: skip
    return made


def model() -> LatentDynamics:
    return LatentDynamics(
        2, preset="dynamics", max_steps=60, progress=False, random_state=0, batch_size=8, n_samples=2, device="cpu",
        encoder_options={"hidden": 6}, dynamics_options={"hidden": (6,)}, session_drift=2,
    )  # fmt: skip


@pytest.mark.parametrize("ragged", [False, True])
def test_the_numbers_are_those_of_a_fit_from_memory(tmp_path: Path, ragged: bool) -> None:
    parts = pieces(ragged=ragged)
    stored = StoredTrials.write(tmp_path / "trials.h5", iter(parts))
    whole = xr.concat(parts, "trial", data_vars="minimal")
    whole = make_trials(
        whole["counts"].values, bin_size=0.02, start=-0.1, inputs=whole["inputs"].values, input_names=["go"],
        observed=whole["observed"].values if ragged else None,
        absolute_start=np.concatenate([20.0 * k + np.arange(10) for k in range(3)]), units={"unit": stored.units},
    )  # fmt: skip
    assert stored.take([4, 25, 4])["counts"].values.tolist() == whole["counts"].values[[4, 25, 4]].tolist()
    one, two = model().fit(stored), model().fit(whole)
    assert one.sessions_[0].describe() == two.sessions_[0].describe()
    assert [e["score"] for e in one.history_] == pytest.approx([e["score"] for e in two.history_], abs=1e-5)
    assert np.allclose(one.predict(whole), two.predict(whole), rtol=1e-3, equal_nan=True)
    assert len(Ensemble(model().set_params(max_steps=2), 2).fit(stored).members_) == 2


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    parts = pieces()
    with pytest.raises(ValueError, match="Piece 1 of the trials has other units"):
        StoredTrials.write(tmp_path / "a.h5", [parts[0], parts[1].isel(unit=slice(3))])
    assert not (tmp_path / "a.h5").exists()
    with pytest.raises(ValueError, match="no trials"):
        StoredTrials.write(tmp_path / "a.h5", [])
    with pytest.raises(RecordingError, match="Cannot be read"):
        StoredTrials(tmp_path / "a.h5")


MEMORY = """
import resource, sys
import numpy as np
from neurognode.models import LatentDynamics, StoredTrials
from neurognode.trials import make_trials

def pieces(n):
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield make_trials(rng.integers(0, 3, (200, 100, 150), dtype=np.uint8), bin_size=0.01)

def fit(trials):
    model = LatentDynamics(2, preset="dynamics", max_steps=4, progress=False, random_state=0, device="cpu",
                           batch_size=32, encoder_options={"hidden": 8}, dynamics_options={"hidden": (8,)})
    model.fit(trials)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

small = fit(StoredTrials.write(sys.argv[1] + "/small.h5", pieces(10)))
print(fit(StoredTrials.write(sys.argv[1] + "/large.h5", pieces(30))) - small)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 60, f"{grown:.0f} MiB more for 4,000 more trials, which are 229 MiB as float32"
