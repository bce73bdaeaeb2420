"""Compiling the CPU kernel on first use, and keeping the result for this machine."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path

from neurognode.files import atomic_path

SOURCES = ("trajectory.cpp", "block.h", "field.h", "gemm.h", "panels.h", "simd.h", "turn.h")
_FOLDER = Path(__file__).parent / "source"
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread", "-w")
_NATIVE = (("-march=native",), ("-mcpu=native",), ())
"""Ways to ask for the instructions of this machine, best first; compilers differ in what they know."""


class CompilerError(Exception):
    """The kernel cannot be compiled or loaded here; the message says why."""


@functools.cache
def library(real: str) -> ctypes.CDLL:
    """Load the kernel for ``real`` ("float" or "double"), compiling it if this machine has not yet.

    Raises
    ------
    CompilerError
        If no compiler is found, or none of its ways works.
    """
    compiler = _find_compiler()
    target = cache_folder() / f"trajectory-{real}-{_fingerprint(compiler, real)}.so"
    if not target.exists():
        _compile(compiler, real, target)
    try:
        return ctypes.CDLL(str(target))
    except OSError as error:
        raise CompilerError(f"the compiled kernel {target} cannot be loaded ({error})") from error


def cache_folder() -> Path:
    """Return where compiled kernels are kept: ``NEUROGNODE_CACHE``, or the user's cache folder."""
    given = os.environ.get("NEUROGNODE_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "neurognode"


def _find_compiler() -> str:
    for name in (os.environ.get("CXX"), "g++", "c++", "clang++"):
        if name and shutil.which(name.split()[0]):
            return name
    raise CompilerError("no C++ compiler was found (looked for $CXX, g++, c++ and clang++)")


def _fingerprint(compiler: str, real: str) -> str:
    """Hash of everything the result depends on: source, flags, compiler and processor."""
    version = subprocess.run([*compiler.split(), "--version"], capture_output=True, text=True, check=False)
    parts = [compiler, version.stdout, real, repr(_FLAGS), platform.machine(), _processor()]
    digest = hashlib.sha256("\0".join(parts).encode())
    for name in SOURCES:
        digest.update((_FOLDER / name).read_bytes())
    return digest.hexdigest()[:20]


def _processor() -> str:
    """Name and instruction set of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _compile(compiler: str, real: str, target: Path) -> None:
    failure = CompilerError(f"{compiler} failed")
    for native in _NATIVE:
        try:
            with atomic_path(target) as temporary:
                _run_compiler([*compiler.split(), *_FLAGS, *native, f"-DREAL={real}"], temporary)
            return
        except CompilerError as error:
            failure = error
        except OSError as error:
            raise CompilerError(f"{target.parent} cannot be written ({error})") from error
    raise failure


def _run_compiler(command: list[str], output: Path) -> None:
    command = [*command, str(_FOLDER / SOURCES[0]), "-o", str(output)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerError(f"{command[0]} failed ({error})") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise CompilerError(f"{command[0]} failed ({said[-1]})")
