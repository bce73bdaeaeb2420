"""Verdicts on fields whose truth is known, and the rules between members, nulls and rivals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurognode import registry
from neurognode.hypotheses import Hypothesis, Verdict, Verdicts, View, compare_portraits, judge
from neurognode.hypotheses.demands import on_set
from neurognode.hypotheses.judging import Null
from neurognode.interpret import Flow, portrait
from neurognode.synthetic import circuits

SLOW = ("points_2", "points_3", "points_4", "points_5", "bumpy_ring", "drifting_ring", "plane", "lorenz")

HYPOTHESES = registry.names("hypotheses")


def views(name: str, n: int = 2) -> tuple[circuits.Circuit, list[View]]:
    base = circuits.make(name)
    found = []
    for seed in range(n):
        circuit = circuits.embed(base, max(3, base.latent_dim), random_state=10 + seed)
        simulated = circuit.simulate(60, dt=0.01, random_state=seed)
        states = simulated.latents[:, ::2]
        inputs = None if simulated.inputs is None else simulated.inputs[:, ::2]
        picture = portrait(
            circuit.field,
            states,
            horizon=circuit.duration,
            bin_size=0.02,
            diffusion=circuit.noise,
            n_starts=64,
        )
        found.append(View(picture, Flow(circuit.field), states, 0.02, inputs, simulated.columns))
    return base, found


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in circuits.names()]
)
def test_the_planted_hypothesis_is_supported_and_no_wrong_one(name: str) -> None:
    circuit, found = views(name)
    verdicts = judge(found, registry_hypotheses())
    right = {circuit.hypothesis, *circuit.also_true}
    assert set(verdicts.supported()) <= right, str(verdicts)
    if circuit.hypothesis != "none":
        assert circuit.hypothesis in verdicts.supported(), str(verdicts)


def registry_hypotheses() -> dict[str, Hypothesis]:
    return {name: made() for name, made in registry.members("hypotheses").items()}


@pytest.mark.parametrize("name", HYPOTHESES)
def test_every_hypothesis_keeps_the_contract(name: str) -> None:
    hypothesis = registry.resolve("hypotheses", name)()
    assert hypothesis.name == name
    for value in hypothesis.describe().values():
        assert value
    from neurognode.surrogates import SURROGATES

    assert hypothesis.null in SURROGATES
    assert set(hypothesis.compatible) <= set(HYPOTHESES)
    assert name not in hypothesis.compatible


def test_one_fit_is_never_enough() -> None:
    _, found = views("ring", 1)
    verdicts = judge(found, registry_hypotheses())
    assert {v.status for v in verdicts} == {"cannot_tell"}
    assert "unchecked" in verdicts["ring_attractor"].reason


def test_members_that_disagree_leave_it_open() -> None:
    _, ring = views("ring", 1)
    _, line = views("line", 1)
    verdict = judge([*ring, *line], registry_hypotheses())["ring_attractor"]
    assert verdict.status == "cannot_tell"
    assert verdict.agreement == 0.5
    assert "disagree" in verdict.reason


def test_a_null_as_large_as_the_data_takes_support_away() -> None:
    _, found = views("ring")
    ring = {"ring_attractor": registry_hypotheses()["ring_attractor"]}
    clear = {"ring_attractor": Null("circular_shift", 0.6, np.full(200, 0.1))}
    same = {"ring_attractor": Null("circular_shift", 0.6, np.full(200, 0.7))}
    assert judge(found, ring, clear)["ring_attractor"].status == "supported"
    judged = judge(found, ring, same)["ring_attractor"]
    assert judged.status == "cannot_tell"
    assert "Surrogates" in judged.reason
    assert (
        judge(found, ring, {"line_attractor": clear["ring_attractor"]})["ring_attractor"].status
        == "cannot_tell"
    )


def test_p_values() -> None:
    rng = np.random.default_rng(0)
    assert Null("", 10.0, rng.normal(size=20)).p < 1e-5
    assert Null("", 0.0, rng.normal(size=20)).p > 0.2
    assert Null("", 1.0, np.zeros(20)).p == pytest.approx(1 / 21)
    assert np.isnan(Null("", 1.0, np.zeros(3)).p)
    assert np.isnan(Null("", np.nan, np.zeros(30)).p)


def test_rivals_that_both_fit_leave_both_open() -> None:
    class Always(Hypothesis):
        name = "always"

        def criteria(self, view):
            return []

        def statistic(self, view):
            return 1.0

    _, found = views("ring")
    verdicts = judge(found, {"ring_attractor": registry_hypotheses()["ring_attractor"], "always": Always()})
    assert [v.status for v in verdicts] == ["cannot_tell", "cannot_tell"]
    assert "fits as well" in verdicts[0].reason


def test_verdicts_are_saved_and_printed(tmp_path) -> None:
    verdict = Verdict(
        "ring_attractor", "supported", "A ring.", null_sample=np.arange(3.0), members=("supported",) * 2
    )
    verdicts = Verdicts([verdict, Verdict("rotation", "rejected", "No turning.")], ("A note.",))
    verdicts.save(tmp_path / "verdicts.nc")
    other = Verdicts.load(tmp_path / "verdicts.nc")
    assert str(other) == str(verdicts)
    assert other[0].null_sample.tolist() == [0, 1, 2]
    assert "support: ring attractor" in str(other)
    verdict.save(tmp_path / "verdict.nc")
    assert Verdict.load(tmp_path / "verdict.nc").members == ("supported", "supported")
    assert verdicts.to_frame()["n_surrogates"].tolist() == [3, 0]
    with pytest.raises(ValueError, match="hypothesis="):
        verdicts["rings"]
    with pytest.raises(ValueError, match="status"):
        Verdict("x", "true", "")


def test_portraits_need_fields() -> None:
    with pytest.raises(ValueError, match="one field"):
        compare_portraits([], [None])


def test_a_dimension_that_data_cannot_resolve_is_left_open() -> None:
    """A disk whose second direction returns within a few trials, and one whose directions do not return."""

    _, (view, _) = views("plane")
    precise = replace(view.portrait, precision=replace(view.portrait.precision, rate_error=1e-3))
    vague = replace(view.portrait, precision=replace(view.portrait.precision, rate_error=2.0))
    assert on_set(replace(view, portrait=precise), 1, [])[0].outcome == -1
    left_open = on_set(replace(view, portrait=vague), 1, [])[0]
    assert left_open.outcome == 0
    assert "known to within 4" in left_open.text
    assert on_set(replace(view, portrait=vague), 2, [])[0].outcome == 1


def test_states_that_keep_moving_are_no_discrete_attractors() -> None:
    _, (view, _) = views("bistable")
    hypothesis = registry_hypotheses()["discrete_attractors"]
    assert hypothesis.read(view).status == "supported"
    assert 0.2 < view.late_motion < 0.4
    assert views("none", 1)[1][0].late_motion > 1
    restless = view.trajectories + 2 * np.sin(np.arange(view.trajectories.shape[1]))[:, None]

    moving = replace(view, trajectories=restless)
    assert moving.late_motion > 0.9
    assert hypothesis.read(moving).status == "rejected"


@pytest.mark.parametrize(
    ("length", "radii", "told", "turning"),
    [(0.1, (1.6, 2.0), False, 1), (1.6, (1.6, 2.0), False, 0), (1.6, (0.3, 1.7), True, -1)],
)
def test_a_cycle_counts_where_data_have_come_to_it_from_both_sides(length, radii, told, turning) -> None:
    circuit, rng = circuits.make("limit_cycle"), np.random.default_rng(0)
    angle, radius = rng.uniform(0, 2 * np.pi, 200), rng.uniform(*radii, 200)
    starts = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    flow, times = Flow(circuit.field), np.arange(0, length, 0.01)
    paths = flow.path(starts, times)
    picture = portrait(circuit.field, paths, horizon=circuit.duration, n_starts=32)
    view, chosen = View(picture, flow, paths, 0.01), registry.members("hypotheses")
    assert (chosen["limit_cycle"]().read(view).status == "supported") is told
    closed = [c for c in chosen["rotation"]().criteria(view) if "cycle" in c.text or "orbit" in c.text]
    assert [c.outcome for c in closed] == [turning]


def test_places_hold_the_data_where_they_stay_and_tell_nothing_where_trials_end() -> None:
    wells = circuits.make("bistable")
    simulation = wells.simulate(60, random_state=0)
    view = View(
        portrait(wells.field, simulation.latents, horizon=wells.duration, depth="quick"), Flow(wells.field),
        simulation.latents,
    )  # fmt: skip
    nodes, boundary = wells.key.fixed_points[wells.key.stable], wells.key.fixed_points[~wells.key.stable]
    assert (view.held(nodes) > 0.9).all()
    assert view.held(boundary)[0] < 0.5
    way = np.linspace(0, 1, 60)[None, :, None] * np.ones((40, 1, 2))
    view = View(portrait(wells.field, way, horizon=1.0, depth="quick"), None, way)
    middle, end = view.held(np.array([[0.3, 0.3], [1.0, 1.0]]))
    assert middle == 0
    assert np.isnan(end)
