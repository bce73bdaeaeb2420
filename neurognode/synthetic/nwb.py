"""Write a simulated recording as a standard NWB file."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurognode.files import atomic_path

if TYPE_CHECKING:
    from neurognode.synthetic.recording import SimulatedRecording

DESCRIPTIONS = {
    "stimulus_onset_time": "When the stimulus came on, in seconds of the session.",
    "stimulus_strength": "Strength of the stimulus (a.u.).",
    "stimulus_side": "Side that the stimulus favours.",
    "choice": "The side on which the state of the circuit ended.",
    "commitment_time": "When the state crossed its bound, in seconds of the session; NaN if never.",
    "condition": "Which of the starting directions the trial had.",
}


def write_nwb(recording: SimulatedRecording, path: str | Path) -> Path:
    """Write units, trials, stimulus and the true latents to an NWB file.

    The truth is a ``TimeSeries`` named ``TrueLatents`` in the processing module ``misc``; analyses that
    read units, trials and stimulus do not see it.

    Parameters
    ----------
    recording : SimulatedRecording
    path : path
        Written under a temporary name and renamed, so that there is never half a file.

    Returns
    -------
    pathlib.Path

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from neurognode.synthetic import circuits, simulate_recording
    >>> recording = simulate_recording(circuits.make("ring"), n_units=3, n_trials=2)
    >>> recording.to_nwb(pathlib.Path(tempfile.mkdtemp()) / "ring.nwb").name
    'ring.nwb'
    """
    from pynwb import NWBHDF5IO

    target = Path(path)
    file = _session(recording)
    _add_trials(recording, file)
    _add_units(recording, file)
    _add_series(recording, file)
    with atomic_path(target) as temporary, NWBHDF5IO(temporary, "w") as io:
        io.write(file)
    return target


def _session(recording: SimulatedRecording) -> Any:
    from pynwb import NWBFile
    from pynwb.file import Subject

    circuit = recording.circuit
    return NWBFile(
        session_description=f"Simulated recording of the circuit {circuit.name!r}: {circuit.key.text}",
        identifier=str(uuid.uuid4()),
        session_start_time=datetime(2024, 1, 1, tzinfo=timezone.utc),
        session_id=f"simulated-{circuit.name.replace('_', '-')}",
        experiment_description="Poisson units that read the state of a known dynamical system.",
        experimenter=["neurognode, simulator"],
        institution="none (simulated)",
        keywords=["simulation", "latent dynamics"],
        subject=Subject(
            subject_id="simulated_subject",
            species="Mus musculus",
            sex="U",
            age="P90D",
            description="No animal: simulated. Species and age are placeholders that archives ask for.",
        ),
    )


def _add_trials(recording: SimulatedRecording, file: Any) -> None:
    table = recording.table
    extra = [name for name in table if name not in ("start_time", "stop_time")]
    for name in extra:
        file.add_trial_column(name=name, description=DESCRIPTIONS.get(name, f"{name} of the trial."))
    for row in range(len(table["start_time"])):
        file.add_trial(**{name: values[row].item() for name, values in table.items()})


def _add_units(recording: SimulatedRecording, file: Any) -> None:
    table = recording.table
    for unit, spikes in enumerate(recording.spike_times):
        on = np.flatnonzero(recording.recorded[:, unit])
        intervals = np.stack([table["start_time"][on], table["stop_time"][on]], axis=1)
        file.add_unit(spike_times=spikes, obs_intervals=intervals)


def _add_series(recording: SimulatedRecording, file: Any) -> None:
    from pynwb import TimeSeries

    stamps, keep = _clock(recording)
    states = recording.latents[:, :-1][keep].astype(np.float32)
    module = file.create_processing_module("misc", "What was simulated, to compare results with.")
    module.add(
        TimeSeries(
            name="TrueLatents",
            data=_packed(states),
            timestamps=_packed(stamps),
            unit="a.u.",
            description="State of the simulated circuit, one column per latent.",
        )
    )
    if recording.simulation.inputs is not None:
        drive = recording.simulation.inputs[:, :-1][keep].astype(np.float32)
        file.add_stimulus(
            TimeSeries(
                name="stimulus",
                data=_packed(drive),
                timestamps=_packed(stamps),
                unit="a.u.",
                description="External input to the circuit, one column per channel.",
            )
        )


def _clock(recording: SimulatedRecording) -> tuple[np.ndarray, np.ndarray]:
    """Session time of every fine step that lies within its trial, and which steps those are."""
    steps = recording.times[:-1]
    keep = steps < recording.lengths[:, None] - 1e-9
    return (recording.table["start_time"][:, None] + steps)[keep], keep


def _packed(values: np.ndarray) -> Any:
    from hdmf.backends.hdf5 import H5DataIO

    return H5DataIO(values, compression="gzip", chunks=True)
