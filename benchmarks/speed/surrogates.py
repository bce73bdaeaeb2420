"""Time of all hypotheses on the fly's recording, with re-scored and refitted surrogates.

``python -m benchmarks.speed.surrogates FOLDER``: the fits are those of `benchmarks.truth.real`, kept in FOLDER and made
if they are not there (not timed). Every hypothesis gets its surrogates, also those that no member speaks for, which
`compare` would leave out.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

from benchmarks.speed.timing import machine
from benchmarks.truth.real import RECORDINGS, fitted
from neurognode.hypotheses import views_of
from neurognode.hypotheses.judging import hypotheses_named, judge, read_all
from neurognode.hypotheses.nulls import refitted, rescored

RESULTS = Path(__file__).parent / "results"
REFIT_STEPS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rescored", type=int, default=200)
    parser.add_argument("--refits", type=int, default=20)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    members = fitted(options.folder, "fly_ring_bar", None, math.inf)
    assert members is not None, "without a deadline the fits are always there"
    trials = RECORDINGS["fly_ring_bar"]()
    chosen = hypotheses_named(None)
    spent = {}
    begin = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begin
        spent[name] = round(time.perf_counter() - begin, 1)
        begin = time.perf_counter()

    views = views_of(members, trials)
    readings = read_all(views, chosen)
    lap("portraits and readings")
    parts = (members[0], views[0], trials, chosen)
    nulls = rescored(*parts, options.rescored, 0, lambda *told: None)
    lap("re-scored")
    nulls |= refitted(*parts, options.refits, REFIT_STEPS, 0, lambda *told: None)
    lap("refitted")
    verdicts = judge(views, chosen, nulls, readings=readings)
    line = {
        "machine": machine(), "members": len(members), "rescored": options.rescored, "refits": options.refits,
        "refit_steps": REFIT_STEPS, "seconds": spent, "minutes": round(sum(spent.values()) / 60, 1),
        "nulls": {name: null.name for name, null in nulls.items()},
        "verdicts": {v.hypothesis: v.status for v in verdicts},
    }  # fmt: skip
    (RESULTS / "surrogates.json").write_text(json.dumps(line, indent=1) + "\n")
    print(json.dumps(line, indent=1))


if __name__ == "__main__":
    main()
