"""Write ``results/strange.md`` from ``results/strange.json``."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """One line a system, and what they come to."""
    rows = json.loads((RESULTS / "strange.json").read_text())
    lines = [
        "| system | largest exponent (ours ± s.e.) | dysts: maximum, spectrum | Kaplan-Yorke: ours, dysts |",
        "|---|---|---|---|",
    ]
    near = close = known = 0
    for name, row in rows.items():
        spectrum = (row["known_exponents"] or [None])[0]
        given = [v for v in (row["known_largest"], spectrum) if v is not None]
        off = min((abs(row["largest"] - v) / abs(v) for v in given), default=None)
        near += off is not None and off < 0.25
        known += off is not None
        close += row["known_dimension"] is not None and abs(row["dimension"] - row["known_dimension"]) < 0.1
        shown = ", ".join("-" if v is None else f"{v:.3g}" for v in (row["known_largest"], spectrum))
        dimension = "-" if row["known_dimension"] is None else f"{row['known_dimension']:.3f}"
        lines.append(
            f"| {name} | {row['largest']:.3g} ± {row['error']:.2g} | {shown} | {row['dimension']:.3f}, {dimension} |"
        )
    lines += [
        "",
        f"- largest exponent within 25 % of one of the package's two estimates: {near} of {known}",
        f"- Kaplan-Yorke dimension within 0.1 of the package's: {close} of {len(rows)}",
        f"- isolated fixed points: {sum(r['fixed_points'] for r in rows.values())} found; scipy finds "
        f"{sum(r['scipy_points'] for r in rows.values())}, of which we miss {sum(r['missed'] for r in rows.values())}",
        "",
        "The package's exponents are finite-time estimates; for several systems its own two values differ by more than "
        "25 %.",
        "",
    ]  # fmt: skip
    (RESULTS / "strange.md").write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
