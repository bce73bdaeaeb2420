"""The rules that keep the house a house: imports one way, small files, light import, public names documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "neurognode"
FILES = sorted(PACKAGE.rglob("*.py"))
FILE_LIMIT, FUNCTION_LIMIT = 400, 60

ROOMS = [
    ["errors", "registry", "files"],
    ["trials", "splits"],
    ["metrics", "surrogates"],
    ["loaders"],
    ["datasets"],
    ["dynamics"],
    ["synthetic"],
    ["training"],
    ["models"],
    ["evaluation"],
    ["interpret"],
    ["hypotheses"],
    ["plot", "export", "report"],
    ["runs"],
    ["testing"],
    ["cli", "commands"],
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

# Shrinks, never grows: what is longer than it should be, and must not get longer.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = [node.module]
            if node.module == "neurognode":
                modules = [f"neurognode.{alias.name}" for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        found += [(m.split(".")[1], node.lineno) for m in modules if m.startswith("neurognode.")]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    assert room in LEVEL, f"{room} is not a room: add it to ROOMS in the order data walks through them"
    wrong = [
        f"line {line}: {room} imports {other}"
        for other, line in imported_rooms(ast.parse(path.read_text()))
        if other != room and LEVEL.get(other, 99) > LEVEL[room]
    ]
    assert not wrong, f"{path}: a room imports only rooms above it in ROOMS. {wrong}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    name = str(path.relative_to(PACKAGE))
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= max(FILE_LIMIT, LONG_FILES.get(name, 0)), f"{name} has {n_lines} lines: split it"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            n_lines = (node.end_lineno or 0) - body[0].lineno + 1
            key = f"{name}:{node.name}"
            assert n_lines <= max(FUNCTION_LIMIT, LONG_FUNCTIONS.get(key, 0)), (
                f"{key} has {n_lines} lines without its docstring: split it"
            )


def test_no_attic() -> None:
    assert not [f for f in FILES if f.stem in ("utils", "helpers", "misc", "common")]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_public_names_have_docstrings(path: Path) -> None:
    if any(part.startswith("_") and part != "__init__.py" for part in path.parts):
        return
    bare = [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare, f"{path}: without a docstring: {bare}"


def test_nothing_is_unpickled_or_evaluated() -> None:
    bad = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("eval", "exec")
            ):
                bad.append(f"{path}:{node.lineno} {node.func.id}")
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                bad += [
                    f"{path}:{node.lineno} imports {n}" for n in names if n in ("pickle", "dill", "joblib")
                ]
    assert not bad


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_is_light() -> None:
    heavy = ("torch", "pynwb", "matplotlib", "sklearn", "xarray", "scipy", "numpy")
    loaded = run_python(f"import neurognode, sys; print([m for m in {heavy!r} if m in sys.modules])")
    assert loaded.strip() == "[]", (
        f"import neurognode loads {loaded.strip()}. Three ways to mend it: import inside the function that needs it, "
        "make the name lazy in neurognode/__init__.py, or move the import to the room that always needs it."
    )


def test_recordings_open_without_torch_or_pynwb() -> None:
    code = "import neurognode.loaders, sys; print([m for m in ('torch', 'pynwb', 'matplotlib') if m in sys.modules])"
    assert run_python(code).strip() == "[]"


def test_every_public_name_resolves() -> None:
    import neurognode

    missing = [name for name in neurognode.__all__ if getattr(neurognode, name, None) is None]
    assert not missing
