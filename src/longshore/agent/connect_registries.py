"""From the configuration to running sources that are registries."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from longshore.agent.connect_origins import picked
from longshore.config.load import Loaded
from longshore.config.registries import ConsulSource, EtcdSource, Registry, ZookeeperSource
from longshore.core.conditions import read as condition
from longshore.core.layouts import layout_of
from longshore.core.model import Snapshot
from longshore.core.registered import Options, Pick
from longshore.sources import registered
from longshore.sources.consul import ConsulAdapter
from longshore.sources.etcd import EtcdAdapter
from longshore.sources.registered import Adapter, Gate
from longshore.sources.several import Several
from longshore.sources.zookeeper import ZooKeeperAdapter

Publish = Callable[[Snapshot], None]
Work = Callable[[], Coroutine[Any, Any, None]]


def registry_work(
    loaded: Loaded, name: str, source: Registry, publish: Publish, last: Snapshot | None, gate: Gate
) -> Work:
    """How to start the endless work of a registry source. `last` is its snapshot of an earlier life."""
    options = registry_options(loaded, name, source)
    return partial(registered.watch, options, adapter_of(source, options), publish, last=last, gate=gate)


def registry_options(loaded: Loaded, name: str, source: Registry) -> Options:
    """How the entries of a source become services."""
    zookeeper = source if isinstance(source, ZookeeperSource) else ZookeeperSource()
    return Options(
        name,
        layout_of(
            source.layout,
            endpoint=zookeeper.endpoint,
            path_encoding=zookeeper.path_encoding,
            etcd=isinstance(source, EtcdSource),
        ),
        source.prefix,
        source.find,
        tuple(condition(word) for word in source.labels),
        source.tags,
        picks_of(loaded, name),
    )


def picks_of(loaded: Loaded, source: str) -> tuple[Pick, ...]:
    """The services of the configuration that are made of a source's entries."""
    return tuple(
        Pick(
            name, spec, item.service, item.path, tuple(map(condition, item.label)), item.tag, item.port, item.nameserver
        )
        for name, spec, item in picked(loaded, source)
    )


def adapter_of(source: Registry, options: Options) -> Adapter:
    """What speaks to the registry."""
    match source:
        case EtcdSource():
            each = [EtcdAdapter(source.model_copy(update={"prefix": prefix})) for prefix in options.prefixes]
            return each[0] if len(each) == 1 else Several(each)
        case ZookeeperSource():
            return ZooKeeperAdapter(source, options.prefixes)
        case ConsulSource():
            return ConsulAdapter(source, options.services)
