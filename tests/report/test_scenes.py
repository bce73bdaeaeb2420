from __future__ import annotations

import json
import re

import pytest

from neurognode.interpret import portrait
from neurognode.report import scene
from neurognode.synthetic import circuits


def test_a_scene_holds_all_parts_and_needs_no_network(tmp_path) -> None:
    circuit = circuits.embed(circuits.make("bistable"), 3, random_state=0)
    picture = portrait(circuit.field, circuit.simulate(30, dt=0.01).latents, horizon=circuit.duration)
    page = scene(picture)
    page.save(tmp_path / "scene.html")
    html = (tmp_path / "scene.html").read_text()
    assert not re.search(r"(src|href)=.https?:", html)
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])
    assert len(data["marks"]) == int(picture.fixed_points.isolated.sum()) == 3
    moving = [p for p in data["paths"] if not p.get("always")]
    standing = [p for p in data["paths"] if p.get("always")]
    assert len(moving) == 80
    assert len(standing) > len(picture.connections.paths)
    assert len(data["time"]) == len(picture.behaviour.times)


def test_a_flat_portrait_is_sent_elsewhere() -> None:
    circuit = circuits.make("bistable")
    picture = portrait(
        circuit.field, circuit.simulate(30, dt=0.01).latents, horizon=circuit.duration, depth="quick"
    )
    with pytest.raises(ValueError, match="flow_field"):
        scene(picture)
