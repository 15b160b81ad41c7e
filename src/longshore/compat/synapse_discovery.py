"""Synapse's discovery methods, each as items of `from`, and the sources that they need.

Where Synapse asks every so many seconds, longshore is told, or asks as often as the answer lasts: intervals of engines,
ZooKeeper and DNS are not needed. Those of APIs that tell nothing (Marathon, EC2) are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from longshore.compat import synapse_zookeeper as zookeeper
from longshore.compat.given import At, Given
from longshore.compat.synapse_apis import ec2tag, marathon
from longshore.compat.synapse_found import FILTERS, NOT_NEEDED, Asked, Found, Method, conditions, holds, labelled
from longshore.config.problems import Place, suggestion
from longshore.core.places import ip, joined
from longshore.core.values import shown

ENGINE_PORT = 4243
RENAMED = {
    "awstag": 'did you mean "ec2tag"?',
    "zookeeper_aurora": 'write method "zookeeper" with decode {"method": "serverset"}',
    "fallback": 'did you mean the resolver "sequential"?',
}


def discovered(given: Given, asked: Asked) -> Found:
    """What a section `discovery` becomes."""
    if not given.data:
        if not given.told.problems:
            given.refuse("", "is missing", "say how its servers are found, for example by method docker")
        return Found()
    method = given.data.get("method")
    if not isinstance(method, str) or method not in METHODS:
        if method is None:
            given.refuse("method", "is missing", f"known are: {', '.join(METHODS)}")
        else:
            hint = RENAMED.get(str(method)) or suggestion(str(method), [name.replace("_", "-") for name in METHODS])
            given.refuse("method", f"is {shown(str(method))}, which is no method", hint.replace("-", "_"))
        return Found()
    work, known = METHODS[method]
    given.only(("method", *FILTERS, *known))
    return work(given, asked)


def _stub(given: Given, asked: Asked) -> Found:
    return Found()


def _docker(given: Given, asked: Asked) -> Found:
    given.number("check_interval")
    if "check_interval" in given:
        given.note("check_interval", NOT_NEEDED)
    if not given.needs("servers", "image_name", "container_port"):
        return Found()
    if asked.port is not None:
        what = "backend_port_override: is passed over: each container is reached at its own port"
        given.told.note(asked.port.place, what)
    what = "containers that do not publish it count as well, where their network can be reached"
    given.note("container_port", what, "label those that shall not with longshore.enable=false", ("from", "port"))
    image = At(given.text("image_name"), given.place("image_name"))
    port = At(given.port("container_port"), given.place("container_port"))
    found = Found()
    for server in given.inners("servers"):
        server.only(("name", "host", "port"))
        if not server.needs("host", hint="the machine whose engine is asked"):
            continue
        host, number = server.text("host"), server.port("port") or ENGINE_PORT
        if re.fullmatch(r"[^:\[\]]+:[0-9]+", host):
            server.refuse("host", f"{shown(host)} contains a port", "the engine's port is a key of its own: port")
            continue
        where = At(f"tcp://{joined(ip(host.strip('[]')) or host, number)}", server.place("host"))
        source = asked.sources.named("docker", host, server.place("host"), {"host": where})
        item = {"source": At(source, server.place("host")), "image": image, "port": port}
        found.items.append(labelled(item, given, asked))
    if conditions(given):
        given.note(
            "label_filters" if "label_filters" in given else "label_filter",
            "asks for labels of containers; Synapse knew of none",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Server:
    """One server of a discovery by DNS."""

    called: str
    host: str
    port: int | None
    place: Place
    port_place: Place
    labels: dict[str, str]


def _dns(given: Given, asked: Asked) -> Found:
    given.number("check_interval")
    if "check_interval" in given:
        given.note("check_interval", "is not needed: names are looked up again when their time to live is over")
    if not given.needs("servers"):
        return Found()
    source = ""
    found = Found()
    filters = [*asked.conditions, *conditions(given)]
    for server in _servers(given):
        port = asked.port or At(server.port, server.port_place)
        if port.value is None:
            hint = "add `port`, or `backend_port_override` to the service"
            given.told.refuse(server.place, f"{server.called} says no port", hint)
        elif not all(holds(each.value, server.labels) for each in filters):
            given.told.note(server.place, f"{server.called} has not the labels that are asked for: it is left out")
        elif ip(server.host):
            found.endpoints.append(At({"address": server.host, "port": port}, server.place))
        else:
            source = source or _nameservers(given, asked)
            found.items.append({"source": source, "name": At(server.host, server.place), "port": port})
            if "." not in server.host.rstrip("."):
                what = f"{server.called}: no search domain is added to {shown(server.host)}"
                given.told.note(server.place, what, "write the whole name")
    return found


def _servers(given: Given) -> Iterator[_Server]:
    """The servers of a discovery by DNS; a bare name counts as its host."""
    listed = given.data.get("servers")
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        place = given.place("servers", index)
        if one == "":
            given.told.refuse(place, f"{given.called('servers', index)} is empty")
        elif isinstance(one, str):
            yield _Server(given.called("servers", index), one, None, place, place, {})
    for server in given.inners("servers", others=(str,)):
        server.only(("host", "port", "name", "labels"))
        if server.needs("host"):
            labels = {key: str(value) for key, value in server.inner("labels").data.items()}
            host, port = server.text("host"), server.port("port")
            yield _Server(server.called(), host, port, server.place(), server.place("port"), labels)


def _nameservers(given: Given, asked: Asked) -> str:
    servers = given.texts("nameserver")
    place = servers[0].place if servers else given.place()
    host = servers[0].value if servers else "system"
    return asked.sources.named("dns", host, place, {"nameservers": servers})


METHODS: dict[str, tuple[Method, tuple[str, ...]]] = {
    "base": (_stub, ()),
    "stub": (_stub, ()),
    "docker": (_docker, ("servers", "image_name", "container_port", "check_interval")),
    "dns": (_dns, ("servers", "nameserver", "check_interval")),
    "ec2tag": (
        ec2tag,
        ("tag_name", "tag_value", "aws_region", "aws_access_key_id", "aws_secret_access_key", "check_interval"),
    ),
    "zookeeper": (zookeeper.entries, zookeeper.KEYS),
    "zookeeper_poll": (zookeeper.entries, (*zookeeper.KEYS, "polling_interval_sec")),
    "zookeeper_dns": (zookeeper.named_entries, (*zookeeper.NAMED_KEYS, *zookeeper.KEYS)),
    "zookeeper_dns_poll": (zookeeper.named_entries, (*zookeeper.NAMED_KEYS, *zookeeper.KEYS, "polling_interval_sec")),
    "marathon": (
        marathon,
        ("marathon_api_url", "application_name", "marathon_api_path", "port_index", "check_interval"),
    ),
}
"""The methods that stand for themselves, with their keys. `multi` joins them: see `synapse_multi`."""
