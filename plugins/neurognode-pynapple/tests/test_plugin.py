"""The plug-in as neurognode sees it: through its entry points and the contract tests."""

from __future__ import annotations

import numpy as np
import pytest

nap = pytest.importorskip("pynapple")
pytest.importorskip("neurognode_pynapple", reason="the plug-in is not installed")

import neurognode as ng  # noqa: E402
from neurognode import registry, testing  # noqa: E402
from neurognode.testing.exporters import known_latents  # noqa: E402


def session() -> dict[str, object]:
    rng = np.random.default_rng(0)
    spikes = {i: nap.Ts(np.sort(rng.uniform(0, 20, 200))) for i in range(4)}
    support = nap.IntervalSet(start=0.0, end=20.0)
    heading = nap.Tsd(t=np.arange(0, 20, 0.01), d=np.linspace(0, 1, 2000))
    return {
        "units": nap.TsGroup(spikes, time_support=support),
        "trials": nap.IntervalSet(start=np.arange(0, 19, 2.0), end=np.arange(1, 20, 2.0)),
        "heading": heading,
    }


def test_it_is_found_through_its_entry_points() -> None:
    assert registry.resolve("loaders", "pynapple").__module__.startswith("neurognode_pynapple")
    assert registry.resolve("exporters", "pynapple").__module__.startswith("neurognode_pynapple")


def test_the_loader_keeps_the_contract() -> None:
    align = {"event": "start_time", "window": (0.0, 1.0), "bin_size": 0.05}
    testing.check_loader("pynapple", session(), align=align)


def test_counts_are_pynapples_own() -> None:
    data = session()
    trials = ng.open_recording(data).align(
        "start_time", window=(0.0, 1.0), bin_size=0.1, behavior=["heading"]
    )
    for trial in (0, 3):
        epoch = nap.IntervalSet(start=2.0 * trial, end=2.0 * trial + 1.0)
        expected = data["units"].restrict(epoch).count(0.1).values
        np.testing.assert_array_equal(trials["counts"].values[trial], expected)
    assert trials["behavior"].sizes["covariate"] == 1


def test_latents_come_back_as_written() -> None:
    path = testing.check_exporter("pynapple", ".npz")
    trials, latents = known_latents()
    frame = nap.load_file(str(path))
    np.testing.assert_array_equal(frame.t, trials["absolute_time"].values.ravel())
    np.testing.assert_array_equal(frame.values, latents.values.reshape(-1, 2))
    assert len(frame.time_support) == trials.sizes["trial"]


def test_the_ending_matters() -> None:
    trials, latents = known_latents()
    with pytest.raises(ValueError, match=r"\.npz"):
        registry.resolve("exporters", "pynapple")("latents.nwb", latents, trials)
