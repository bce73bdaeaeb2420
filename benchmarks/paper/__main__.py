"""Run the gnODE paper's experiments again: `python -m benchmarks.paper [--quick] [--part NAME]`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.paper import attractors, exactness, expressivity, real_world, report, trainability
from benchmarks.paper.scale import FULL, QUICK
from benchmarks.paper.store import Store

PARTS = {
    "exactness": exactness,
    "attractors": attractors,
    "trainability": trainability,
    "expressivity": expressivity,
    "real_world": real_world,
}


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about ten minutes instead of hours")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/paper"), help="where tables, figures and results go"
    )
    parser.add_argument("--report-only", action="store_true", help="write tables from what has been computed")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    scale = QUICK if given.quick else FULL
    store = Store(given.out / "results" / scale.name, scale)
    for name in [] if given.report_only else given.part or PARTS:
        print(name, flush=True)
        PARTS[name].run(store, scale)
        report.write(store, scale, given.out)
    report.write(store, scale, given.out)
    print(f"written to {given.out / 'README.md'}")


if __name__ == "__main__":
    main()
