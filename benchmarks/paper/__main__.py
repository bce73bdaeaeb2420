"""Run the gnODE paper's experiments again: `python -m benchmarks.paper [--quick | --full] [--only PART]`.

What has been computed is kept, cell by cell, so that an interrupted run goes on where it stopped, and several
processes may work on different parts at the same time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.paper import (
    attractors,
    beyond,
    exactness,
    expressivity,
    initialisation,
    real_world,
    report,
    spikes,
    trainability,
)
from benchmarks.paper.scale import FULL, QUICK, STANDARD
from benchmarks.paper.store import Store

PARTS = {
    "exactness": exactness,
    "attractors": attractors,
    "trainability": trainability,
    "initialisation": initialisation,
    "expressivity": expressivity,
    "real_world": real_world,
    "beyond": beyond,
    "spikes": spikes,
}


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="about ten minutes: two seeds, few steps")
    size.add_argument("--full", action="store_true", help="hours: grids of learning rates and decays")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; may be repeated")
    parser.add_argument("--match", default="", help="only cells whose name contains this")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/paper"), help="where tables, figures and results go"
    )
    parser.add_argument("--report-only", action="store_true", help="write tables from what has been computed")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    scale = QUICK if given.quick else FULL if given.full else STANDARD
    results = given.out / "results"
    instead = None if scale is QUICK else Store(results / QUICK.name, QUICK)
    store = Store(results / scale.name, scale, instead)
    for name in [] if given.report_only else given.only or PARTS:
        wanted = [c for c in PARTS[name].cells(store, scale) if given.match in "/".join(map(str, c[0]))]
        store.compute(name, wanted)
    report.write(store, scale, given.out)
    print(f"written to {given.out / 'README.md'}")


if __name__ == "__main__":
    main()
