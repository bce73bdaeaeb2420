"""A URL is read by ranges: a server on this machine counts the bytes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurognode as ng
from neurognode.errors import RecordingError

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")


class Server(ThreadingHTTPServer):
    """Serves one folder, with ranges."""

    folder: Path
    sent = 0


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.server.folder / self.path.strip("/")
        if not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        match = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first = int(match[1]) if match else 0
        last = min(int(match[2] or size - 1), size - 1) if match else size - 1
        self.send_response(206 if match else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last - first + 1))
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if body:
            with open(path, "rb") as stream:
                stream.seek(first)
                data = stream.read(last - first + 1)
            self.server.sent += len(data)
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = Server(("127.0.0.1", 0), Handler)
    served.folder = tmp_path
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def large_nwb(path: Path) -> np.ndarray:
    """40 MB of field potential beside a few spikes; only the spikes are wanted."""
    spikes = np.sort(np.random.default_rng(0).uniform(0, 100, 1000))
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        group = file.create_group("acquisition/lfp")
        group.attrs["neurodata_type"] = "ElectricalSeries"
        group.create_dataset("data", data=np.ones((200_000, 50), np.float32), chunks=(20_000, 50))
        group.create_dataset("starting_time", data=0.0).attrs["rate"] = 2000.0
        units = file.create_group("units")
        units.attrs["neurodata_type"] = "Units"
        units["spike_times"], units["spike_times_index"], units["id"] = (
            spikes,
            np.array([400, 1000]),
            np.arange(2),
        )
    return spikes


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_url_is_read_without_downloading_it(server: Server, tmp_path: Path) -> None:
    large_nwb(tmp_path / "far.nwb")
    size = (tmp_path / "far.nwb").stat().st_size
    url = f"http://127.0.0.1:{server.server_port}/far.nwb"
    with ng.open_recording(url, remote={"block_size": 1 << 16}) as recording:
        assert recording.describe()["units"]["spikes"] == 1000
        trials = recording.align([10.0, 50.0], window=(0, 10), bin_size=0.1)
    with ng.open_recording(tmp_path / "far.nwb") as near:
        expected = near.align([10.0, 50.0], window=(0, 10), bin_size=0.1)
    np.testing.assert_array_equal(trials["counts"], expected["counts"])
    assert trials.attrs["source"] == url
    assert server.sent < 0.1 * size


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_missing_url_is_an_error_in_a_sentence(server: Server) -> None:
    with pytest.raises(RecordingError, match="has no such file"):
        ng.open_recording(f"http://127.0.0.1:{server.server_port}/none.nwb")
    with pytest.raises(RecordingError, match="does not answer"):
        ng.open_recording("http://127.0.0.1:1/none.nwb")
