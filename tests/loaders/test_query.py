"""Queries: a small language, nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurognode.loaders.alignment.query import select

COLUMNS = {
    "side": np.array(["left", "right", "left", "none"]),
    "rt": np.array([0.2, 0.5, np.nan, 1.0]),
    "good": np.array([1, 1, 0, 1]),
    "my column": np.array([1, 2, 3, 4]),
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("side == 'left'", [1, 0, 1, 0]),
        ("side != 'left' and good == 1", [0, 1, 0, 1]),
        ("(rt < 0.6) & (good == 1)", [1, 1, 0, 0]),
        ("0.1 < rt <= 0.5", [1, 1, 0, 0]),
        ("side in ['left', 'none']", [1, 0, 1, 1]),
        ("side not in ('left',)", [0, 1, 0, 1]),
        ("not isnan(rt) or good == 0", [1, 1, 1, 1]),
        ("`my column` % 2 == 0", [0, 1, 0, 1]),
        ("good", None),
        ("not good", [0, 0, 1, 0]),
        ("rt * 2 - 1 >= 0", [0, 1, 0, 1]),
        ("abs(rt - 0.5) < 0.01", [0, 1, 0, 0]),
    ],
)
def test_queries(query: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="not true or false"):
            select(query, COLUMNS, 4)
    else:
        assert select(query, COLUMNS, 4).astype(int).tolist() == expected


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sid == 'left'", "Did you mean 'side'"),
        ("side == left", "no column 'left'"),
        ("side == 3", "The text: left, none, right"),
        ("side <", "cannot be read"),
        ("__import__('os').system('true')", "can be called"),
        ("rt.__class__", "Attribute"),
        ("[x for x in rt]", "ListComp"),
        ("(lambda: 1)()", "can be called"),
        ("rt ** 99999999 > 1", "operator"),
        ("side < 3", "cannot be compared"),
        ("rt is 3", "write =="),
        ("not " * 480 + "good", "nested"),
        ("rt > 1" + " and rt > 1" * 500, "longer"),
    ],
)
def test_anything_else_is_refused(query: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select(query, COLUMNS, 4)
