"""Every registry of a configuration can be written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.agent.connect_holders import holder_of
from longshore.config.load import load
from longshore.registries.consul import ConsulHolder
from longshore.registries.etcd import EtcdHolder
from longshore.registries.zookeeper import ZooKeeperHolder


@pytest.mark.parametrize(
    ("name", "kind"), [("etcd", EtcdHolder), ("zookeeper", ZooKeeperHolder), ("east", ConsulHolder)]
)
def test_each_kind_has_its_hand(name: str, kind: type, tmp_path: Path) -> None:
    file = tmp_path / "longshore.yaml"
    file.write_text("sources: {etcd: {}, zookeeper: {}, east: {type: consul}, docker: {}}\n")
    loaded = load(file, {})
    assert isinstance(holder_of(loaded, name, "h1", 10), kind)
