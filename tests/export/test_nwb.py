"""NWB by the archive's rules: inspected, validated, and read back by others."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

import neurognode as ng
from neurognode.errors import RecordingError
from neurognode.export.continuous import continuous

Find = Callable[[str], Path]

CASES: dict[str, tuple[str, dict[str, Any], dict[str, str] | None, str]] = {
    "alm_delay": ("cue_start_time", {"window": (-2.6, 1.0), "bin_size": 0.05}, {"age": "P90D"}, "ecephys"),
    "human_mtl": ("encoding_table/boundary1_time", {"window": (-1, 1.5), "bin_size": 0.05}, None, "ecephys"),
    "fly_ring_bar": ("start_time", {"window": (0, 65.6)}, None, "ophys"),
    "m1_reaching": ("move_onset_time", {"window": (-0.3, 0.7)}, {"age": "P6Y"}, "ecephys"),
}


class Tensor(np.ndarray):
    """An array with the two methods of a tensor that export asks for."""

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self


class Fits:
    """A made-up ensemble of five members and three latents."""

    def __init__(self, n_units: int) -> None:
        rng = np.random.default_rng(0)
        weight, bias = rng.normal(size=(n_units, 3)).view(Tensor), rng.normal(size=n_units).view(Tensor)
        self.readout_ = types.SimpleNamespace(weight=weight, bias=bias, link="exp")
        self.members_ = [None] * 5

    def transform(self, trials: xr.Dataset) -> xr.DataArray:
        shape = (trials.sizes["trial"], trials.sizes["time"], 3)
        values = np.random.default_rng(1).normal(size=shape)
        dims = ("trial", "time", "latent")
        return xr.DataArray(values, dims=dims, coords={"std": (dims, np.abs(values))})

    def predict(self, trials: xr.Dataset) -> xr.DataArray:
        signal = ng.trials.signal(trials)
        return xr.DataArray(np.ones(signal.shape, np.float32), dims=signal.dims)


def portrait() -> types.SimpleNamespace:
    points = types.SimpleNamespace(
        points=np.eye(3)[:2], eigenvalues=np.array([[-1 + 1j, -1 - 1j, -3], [2, -1, -3]]),
        kind=np.array(["stable focus", "saddle"]), stable=np.array([True, False]), inside=np.array([True, False]),
        isolated=np.array([True, True]),
    )  # fmt: skip
    return types.SimpleNamespace(fixed_points=points, latent_dim=3)


def verdicts() -> list[types.SimpleNamespace]:
    first = types.SimpleNamespace(
        hypothesis="ring_attractor", status="cannot_tell", reason="One fit cannot be sure.", statistic=1.0,
        statistic_name="gap", interval=np.array([0.5, 2.0]), null="circular shift", null_sample=np.zeros(9), p=0.3,
    )  # fmt: skip
    second = types.SimpleNamespace(
        hypothesis="line_attractor", status="rejected", reason="The set is a point."
    )
    return [first, second]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_archive_validator_and_pynapple_agree(name: str, data_file: Find, tmp_path: Path) -> None:
    inspector = pytest.importorskip("nwbinspector")
    nap = pytest.importorskip("pynapple")
    import pynwb

    event, how, subject, module = CASES[name]
    source, target = data_file(f"{name}.nwb"), tmp_path / "latents.nwb"
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    trials = ng.open_recording(source).align(event, **how)
    fits = Fits(trials.sizes["unit"])
    ng.export.to_nwb(target, fits, trials, verdicts(), portrait(), subject=subject)
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before

    found = list(inspector.inspect_nwbfile(nwbfile_path=str(target), config=inspector.load_config("dandi")))
    grave = [m for m in found if m.importance.name in ("CRITICAL", "ERROR", "PYNWB_VALIDATION")]
    assert not grave, grave
    assert pynwb.validate(path=str(target)) == []
    series = continuous(trials)
    latents = series.take(fits.transform(trials).values)
    frame = nap.load_file(str(target))["LatentTrajectory"]
    np.testing.assert_array_equal(frame.values, latents)
    np.testing.assert_allclose(frame.t, series.times, atol=1e-9)
    with h5py.File(target) as file:
        assert set(file["processing"]) == {module}
        assert {
            "LatentTrajectory",
            "LatentSpread",
            "LatentLoadings",
            "FixedPoints",
            "HypothesisVerdicts",
        } <= set(file["processing"][module])


@pytest.mark.filterwarnings("ignore")
def test_loadings_lead_to_electrodes_and_spikes_are_the_same(data_file: Find, tmp_path: Path) -> None:
    from pynwb import NWBHDF5IO

    recording = ng.open_recording(data_file("alm_delay.nwb"))
    trials = recording.align("cue_start_time", window=(-1, 1), bin_size=0.05, units=[2, 4])
    fits = Fits(2)
    target = ng.export.to_nwb(tmp_path / "a.nwb", fits, trials, subject={"age": "P90D"})
    with NWBHDF5IO(str(target), "r") as io:
        file = io.read()
        table = file.processing["ecephys"]["LatentLoadings"]
        np.testing.assert_array_equal(table["loading"][:], fits.readout_.weight)
        assert table["unit_id"][:].tolist() == [2, 4]
        row = table["unit"][1]
        electrode = row["electrodes"].iloc[0]
        assert "Thalamus" in str(electrode["location"].iloc[0])
        with h5py.File(data_file("alm_delay.nwb")) as original:
            row_index = int(original["units/electrodes"][3])
        assert electrode.index.tolist() == [row_index]
        assert file.session_id is None or file.session_id == recording.session.get("session_id")
        assert file.identifier != recording.session["identifier"]
    again = ng.open_recording(target)
    assert again.units is not None
    assert recording.units is not None
    for mine, theirs in ((0, 1), (1, 3)):
        np.testing.assert_array_equal(again.units.spikes(mine), recording.units.spikes(theirs))


def test_an_incomplete_subject_is_refused_or_written_on_request(data_file: Find, tmp_path: Path) -> None:
    trials = ng.open_recording(data_file("reach_delay.nwb")).align("start_time", window=(0, 1), bin_size=0.05)
    target = tmp_path / "a.nwb"
    with pytest.raises(RecordingError, match=r"age is missing.*subject=\{'age': \.\.\.\}"):
        ng.export.to_nwb(target, Fits(61), trials)
    assert not target.exists()
    with pytest.raises(ValueError, match="Did you mean 'species'"):
        ng.export.to_nwb(target, Fits(61), trials, subject={"specie": "Macaca mulatta"})
    ng.export.to_nwb(target, Fits(61), trials, incomplete="write")
    with pytest.raises(RecordingError, match="exists already"):
        ng.export.to_nwb(target, Fits(61), trials, incomplete="write", overwrite=False)
    trials.attrs["source"] = str(target)
    with pytest.raises(RecordingError, match="never written to"):
        ng.export.to_nwb(target, Fits(61), trials, incomplete="write")


@pytest.mark.parametrize(
    ("field", "value", "good"),
    [
        ("age", "P90D", True), ("age", "P12Y", True), ("age", "P1Y6M", True), ("age", "P90D/P100D", True),
        ("age", "90 days", False), ("age", "P", False), ("age", "", False),
        ("species", "Mus musculus", True), ("species", "http://purl.obolibrary.org/obo/NCBITaxon_10090", True),
        ("species", "mouse", False), ("sex", "male", False), ("sex", "M", True), ("subject_id", "a/b", False),
    ],
)  # fmt: skip
def test_what_an_archive_asks(field: str, value: str, good: bool) -> None:
    subject = {"subject_id": "A1", "species": "Mus musculus", "sex": "F", "age": "P90D", field: value}
    assert list(ng.export.missing_for_dandi(subject)) == ([] if good else [field])


def test_gap_free_data_use_a_rate_and_overlaps_are_resolved(tmp_path: Path) -> None:
    starts = np.arange(4) * 0.5
    trials = ng.make_trials(np.ones((4, 10, 2), int), bin_size=0.05, absolute_start=starts)
    assert continuous(trials).rate == pytest.approx(20.0)
    overlapping = ng.make_trials(np.ones((4, 10, 2), int), bin_size=0.05, absolute_start=starts * 0.6)
    series = continuous(overlapping)
    assert (np.diff(series.times) > 0).all()
    assert series.dropped == 3 * 4
    early = ng.make_trials(np.ones((1, 10, 2), int), bin_size=0.05, start=-0.25, absolute_start=np.zeros(1))
    assert continuous(early).times.min() >= 0


@pytest.mark.filterwarnings("ignore")
def test_latents_alone_and_files_that_are_no_nwb(data_file: Find, tmp_path: Path) -> None:
    trials = ng.open_recording(data_file("lfads_lorenz.h5")).align(bin_size=0.01, trials="split == 'valid'")
    latents = xr.DataArray(np.zeros((160, 100, 3), np.float32), dims=("trial", "time", "latent"))
    subject = {"subject_id": "simulated", "species": "Mus musculus", "sex": "U", "age": "P90D"}
    target = ng.export.to_nwb(tmp_path / "a.nwb", latents, trials, subject=subject)
    with h5py.File(target) as file:
        assert file["processing/ecephys/LatentTrajectory/data"].shape == (16_000, 3)
        assert "placeholder" in file["general/notes"][()].decode()
    with pytest.raises(ValueError, match="latents have"):
        ng.export.to_nwb(tmp_path / "b.nwb", latents[:3], trials, subject=subject)
    with pytest.raises(ValueError, match="must be a fitted model"):
        ng.export.to_nwb(tmp_path / "b.nwb", "model", trials, subject=subject)
