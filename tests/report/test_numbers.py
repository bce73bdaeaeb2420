from __future__ import annotations

import numpy as np
import pytest

from neurognode.report.content import number
from neurognode.report.sections.flow import plain_kind


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.5, "1234"), (0.00012345, "0.0001"), (12.345, "12.3"), (-0.5, "−0.500"), (np.inf, "∞"),
     (float("nan"), "–"), (None, "–"), (np.int64(7), "7"), (1e9, "1e+09")],
)  # fmt: skip
def test_numbers_for_people(value: object, text: str) -> None:
    assert number(value) == text


def test_every_kind_of_fixed_point_has_a_marker() -> None:
    from neurognode.plot.flow import KINDS

    kinds = ("stable node", "stable focus", "unstable node", "saddle", "marginal", "undefined", "")
    assert {plain_kind(k) for k in kinds} == set(KINDS)
