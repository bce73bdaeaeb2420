from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurognode.errors import RunError
from neurognode.runs.config import SCHEMA_VERSION, RunConfig, plain
from neurognode.runs.signature import checked, parameters

CONFIG = {"recording": {"path": "a.nwb"}, "model": {"arguments": {"latent_dim": 3, "hidden": (64, 64)}}}


def test_yaml_round_trip_keeps_everything(tmp_path: Path) -> None:
    config = RunConfig.model_validate(CONFIG)
    config.save(tmp_path / "config.yaml")
    assert RunConfig.load(tmp_path / "config.yaml").model_dump()["model"] == plain(
        config.model_dump()["model"]
    )


def test_a_newer_layout_is_refused_by_name() -> None:
    text = (
        RunConfig.model_validate(CONFIG)
        .to_yaml()
        .replace(f"schema_version: {SCHEMA_VERSION}", f"schema_version: {SCHEMA_VERSION + 1}")
    )
    with pytest.raises(RunError, match="update neurognode"):
        RunConfig.from_yaml(text)


@pytest.mark.parametrize("text", ["a: [", "just text", "{}", "schema_name: neurognode.run\nsplit: {test: 7}"])
def test_damage_is_one_sentence(text: str) -> None:
    with pytest.raises(RunError) as caught:
        RunConfig.from_yaml(text)
    assert "\n" not in str(caught.value)


def test_plain_leaves_nothing_numpy() -> None:
    value = plain({"a": np.arange(2), "b": (np.float64(1.5), Path("x")), 3: None, "c": {1}})
    assert value == {"a": [0, 1], "b": [1.5, "x"], "3": None, "c": [1]}
    assert type(value["a"][0]) is int


def test_defaults_come_from_the_signature() -> None:
    from neurognode.models import LatentDynamics

    known = parameters(LatentDynamics)
    assert known["latent_dim"] is None
    assert known["encoder"] == "gru"


def test_types_are_set_right_and_wrong_ones_named() -> None:
    from neurognode.models import LatentDynamics

    assert checked(LatentDynamics, {"latent_dim": "4"}, what="The model") == {"latent_dim": 4}
    with pytest.raises(ValueError, match="latent_dim='many'"):
        checked(LatentDynamics, {"latent_dim": "many"}, what="The model")
