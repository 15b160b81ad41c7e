"""From the configuration to a registrar's hand in a registry."""

from __future__ import annotations

from pathlib import Path

from longshore.agent.register_setup import name_of
from longshore.config.load import Loaded
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core.layouts import NODES, layout_of
from longshore.registries.consul import ConsulHolder
from longshore.registries.consul_kv import ConsulKVHolder
from longshore.registries.consul_spelling import SPELLINGS
from longshore.registries.etcd import EtcdHolder
from longshore.registries.hold import Holder
from longshore.registries.zookeeper import ZooKeeperHolder
from longshore.registries.zookeeper_sessions import OwnSessions

SESSIONS = "zookeeper-sessions"  # in the state directory


def holder_of(loaded: Loaded, name: str, owner: str, ttl: float, *, state_dir: Path | None = None) -> Holder:
    """What writes into the source of this name: `owner`'s entries, which outlive us by `ttl` seconds.

    The configuration was checked: the source is a registry, in a layout that can be written. A registrar that keeps
    a state directory knows there what its earlier runs left.
    """
    source = loaded.config.sources[name]
    assert isinstance(source, Registry), f"{name} is no registry"
    match source:
        case EtcdSource():
            return EtcdHolder(name, source, layout_of(source.layout, etcd=True), owner, ttl)
        case ZookeeperSource(layout="registrator"):
            return ZooKeeperHolder(name, source, NODES, owner, ttl)
        case ZookeeperSource():
            layout = layout_of(source.layout, path_encoding=source.path_encoding)
            own = OwnSessions(state_dir / SESSIONS) if state_dir else None
            return ZooKeeperHolder(name, source, layout, owner, ttl, own=own)
        case ConsulSource(layout="consulkv"):
            return ConsulKVHolder(name, source, layout_of(source.layout), owner, ttl)
        case ConsulSource():
            register = loaded.config.register_
            cleanup = name_of(loaded) if register and register.cleanup else ""
            return ConsulHolder(name, source, owner, ttl, spelling=SPELLINGS[source.layout], cleanup=cleanup)
