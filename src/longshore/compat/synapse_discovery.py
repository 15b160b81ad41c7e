"""Synapse's discovery methods, each as items of `from`, and the sources that they need.

Where Synapse asks every so many seconds, longshore is told, or asks as often as the answer lasts: intervals of engines,
ZooKeeper and DNS are not needed. Those of APIs that tell nothing (Marathon, EC2) are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from longshore.compat.given import At, Given
from longshore.compat.synapse_sources import Sources
from longshore.config.problems import suggestion
from longshore.core.places import ip, joined
from longshore.core.values import shown

FILTERS = ("label_filters", "label_filter")
ENGINE_PORT = 4243
NOT_NEEDED = "is not needed: longshore is told of a change when it happens"
RENAMED = {
    "awstag": 'did you mean "ec2tag"?',
    "zookeeper_aurora": 'write method "zookeeper" with decode {"method": "serverset"}',
    "fallback": 'did you mean the resolver "sequential"?',
}


@dataclass(slots=True)
class Found:
    """What a discovery becomes."""

    items: list[dict[str, Any]] = field(default_factory=list)  # of `from`
    endpoints: list[At] = field(default_factory=list)  # fixed ones, which it names itself
    first: bool = False
    toggle: At | None = None


@dataclass(slots=True)
class Asked:
    """What a discovery is asked within: the sources of all, and the port that its service says for every backend."""

    sources: Sources
    port: At | None = None
    conditions: tuple[At, ...] = ()  # that hold beside the discovery's own
    nested: bool = False  # it is one of several


Method = Callable[[Given, Asked], Found]


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


def conditions(given: Given) -> tuple[At, ...]:
    """The filters of a discovery as conditions: "tier=web", "tier!=web"."""
    found = []
    for key in FILTERS:
        value = given.data.get(key)
        for one in [given.inner(key)] if isinstance(value, dict) else given.inners(key):
            if one.data:
                found += _condition(one)
    return tuple(found)


def _condition(given: Given) -> list[At]:
    given.only(("label", "value", "condition"))
    if not given.needs("label", "condition"):
        return []
    label, value = given.text("label"), given.text("value")
    compared = given.one_of("condition", "equals", "not-equals")
    if "=" in label or label.endswith("!"):
        given.refuse("label", f"is {shown(label)}: a label with = or ! cannot be asked for")
        return []
    sign = "=" if compared == "equals" else "!="
    return [At(f"{label}{sign}{value}", given.place("label"))] if compared else []


def holds(condition: str, labels: dict[str, str]) -> bool:
    """Whether labels that are written down fulfil a condition."""
    label, _, value = condition.partition("=")
    return (labels.get(label.removesuffix("!")) == value) is not label.endswith("!")


def _labelled(item: dict[str, Any], given: Given, asked: Asked) -> dict[str, Any]:
    labels = [*asked.conditions, *conditions(given)]
    return item | ({"label": labels[0] if len(labels) == 1 else labels} if labels else {})


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
    image = At(given.text("image_name"), given.place("image_name"))
    port = At(given.port("container_port"), given.place("container_port"))
    found = Found()
    for server in given.inners("servers"):
        server.only(("name", "host", "port"))
        if not server.needs("host", hint="the machine whose engine is asked"):
            continue
        host, number = server.text("host"), server.port("port") or ENGINE_PORT
        where = At(f"tcp://{joined(ip(host.strip('[]')) or host, number)}", server.place("host"))
        source = asked.sources.named("docker", host, server.place("host"), {"host": where})
        item = {"source": At(source, server.place("host")), "image": image, "port": port}
        found.items.append(_labelled(item, given, asked))
    if conditions(given):
        given.note(
            "label_filters" if "label_filters" in given else "label_filter",
            "asks for labels of containers; Synapse knew of none",
        )
    return found


def _dns(given: Given, asked: Asked) -> Found:
    given.number("check_interval")
    if "check_interval" in given:
        given.note("check_interval", "is not needed: names are looked up again when their time to live is over")
    if not given.needs("servers"):
        return Found()
    source = ""
    found = Found()
    filters = [*asked.conditions, *conditions(given)]
    for index, server in enumerate(_servers(given)):
        host = server.value.get("host")
        labels = server.value.get("labels") or {}
        port = asked.port or At(server.value.get("port"), server.place)
        called = given.called("servers", index)
        if not isinstance(host, str) or not host:
            given.told.refuse(server.place, f"{called} says no host")
        elif _number(port.value) is None:
            hint = "add `port`, or `backend_port_override` to the service"
            given.told.refuse(server.place, f"{called} says no port from 1 to 65535", hint)
        elif not all(holds(each.value, labels) for each in filters):
            given.told.note(server.place, f"{called} has not the labels that are asked for: it is left out")
        elif ip(host):
            found.endpoints.append(At({"address": host, "port": At(_number(port.value), port.place)}, server.place))
        else:
            source = source or _nameservers(given, asked)
            item = {"source": source, "name": At(host, server.place), "port": At(_number(port.value), port.place)}
            if "." not in host.rstrip("."):
                what = f"{called}: no search domain is added to {shown(host)}"
                given.told.note(server.place, what, "write the whole name")
            found.items.append(item)
    return found


def _servers(given: Given) -> list[At]:
    """The servers of a discovery by DNS; a bare name counts as its host."""
    value = given.data.get("servers")
    bare = [
        At({"host": one}, given.place("servers", index)) if isinstance(one, str) else one
        for index, one in enumerate(value if isinstance(value, list) else [])
    ]
    if any(isinstance(one, At) for one in bare):
        return [one if isinstance(one, At) else At(one, given.place("servers", i)) for i, one in enumerate(bare)]
    for server in (found := given.inners("servers")):
        server.only(("host", "port", "name", "labels"))
        server.inner("labels")
    return [At(server.data, server.place()) for server in found]


def _number(port: object) -> int | None:
    number = int(port) if isinstance(port, str) and port.isascii() and port.isdigit() else port
    return number if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 65535 else None


def _nameservers(given: Given, asked: Asked) -> str:
    servers = given.texts("nameserver")
    place = servers[0].place if servers else given.place()
    host = servers[0].value if servers else "system"
    return asked.sources.named("dns", host, place, {"nameservers": servers})


def _zookeeper(given: Given, asked: Asked) -> Found:
    given.number("discovery_jitter")
    given.number("polling_interval_sec")
    given.inner("retry_policy").only(("max_attempts", "max_delay", "base_interval", "max_interval"))
    for key in ("discovery_jitter", "polling_interval_sec", "check_interval"):
        if key in given:
            given.note(key, NOT_NEEDED)
    if "retry_policy" in given:
        given.note("retry_policy", "is not needed: longshore tries again for ever, more and more rarely")
    if "generator_config_path" in given and given.text("generator_config_path") != "disabled":
        what = "is not read: a registry cannot write lines into HAProxy's configuration"
        given.note("generator_config_path", what, "write them beneath `haproxy` of the service")
    if not given.needs("hosts", "path"):
        return Found()
    hosts, inside = _ensemble(given)
    if not hosts:
        return Found()
    decode = given.inner("decode")
    decode.only(("method", "endpoint_name"))
    if decode.data:
        decode.needs("method")
    layout = decode.one_of("method", "nerve", "serverset") or "nerve"
    endpoint = At(decode.text("endpoint_name"), decode.place("endpoint_name")) if layout == "serverset" else None
    settings = {
        "hosts": At(hosts, given.place("hosts")),
        "layout": At(layout, decode.place("method")),
        "endpoint": endpoint if endpoint and endpoint.value else None,
        "find": "named",
    }
    source = asked.sources.named("zookeeper", hosts[0].value.rpartition(":")[0], given.place("hosts"), settings)
    item: dict[str, Any] = {"source": At(source, given.place("hosts"))}
    item["path"] = At(f"{inside}/{given.text('path').strip('/')}", given.place("path"))
    if asked.port is not None:
        item["port"] = asked.port
    return Found([_labelled(item, given, asked)])


def _ensemble(given: Given) -> tuple[list[At], str]:
    """The servers in order, with a port, and what stands behind the last one: the path beneath which all is."""
    hosts = sorted((host for host in given.texts("hosts")), key=lambda host: str(host.value))
    if len(hosts) == 1 and "," in hosts[0].value:
        hosts = [At(part.strip(), hosts[0].place) for part in hosts[0].value.split(",") if part.strip()]
    inside = ""
    found = []
    for host in hosts:
        server, slash, below = host.value.partition("/")
        if slash and host is not hosts[-1]:
            given.told.refuse(host.place, f"{given.called('hosts')}: only the last server can say a path behind it")
        inside = f"/{below.strip('/')}" if below.strip("/") else ""
        found.append(At(server if ":" in server else f"{server}:2181", host.place))
    return found, inside


def _zookeeper_dns(given: Given, asked: Asked) -> Found:
    found = _zookeeper(given, asked)
    if nameservers := given.texts("nameserver"):
        for item in found.items:
            item["nameserver"] = nameservers[0] if len(nameservers) == 1 else nameservers
    return found


def _ec2tag(given: Given, asked: Asked) -> Found:
    if asked.port is None:
        hint = "add it to the service: where does it listen on these machines?"
        given.refuse("", "by ec2tag needs backend_port_override", hint)
    if not given.needs("tag_name", "tag_value") or asked.port is None:
        return Found()
    name = given.text("tag_name")
    if "=" in name or name.endswith("!"):
        given.refuse("tag_name", f"is {shown(name)}: a tag with = or ! in its name cannot be asked for")
        return Found()
    said = {key: At(given.text(key), given.place(key)) for key in given.data if key.startswith("aws_") and key in given}
    if "aws_secret_access_key" in said:
        what = "is better kept in a file, `secret-access-key-file`, or in the environment"
        given.note("aws_secret_access_key", what)
    region = said.get("aws_region")
    settings = {
        "region": region,
        "access-key-id": said.get("aws_access_key_id"),
        "secret-access-key": said.get("aws_secret_access_key"),
        "interval": _interval(given, 15),
    }
    source = asked.sources.named("ec2", region.value if region else "", given.place("method"), settings)
    tags = [At(f"{name}={given.text('tag_value')}", given.place("tag_value")), *asked.conditions, *conditions(given)]
    label = tags[0] if len(tags) == 1 else tags
    return Found([{"source": At(source, given.place("method")), "label": label, "port": asked.port}])


def _interval(given: Given, usual: float) -> At | None:
    seconds = given.number("check_interval")
    return At(f"{seconds:g}s", given.place("check_interval")) if seconds not in (None, usual) else None


def _marathon(given: Given, asked: Asked) -> Found:
    if not given.needs("marathon_api_url", "application_name"):
        return Found()
    if asked.conditions or conditions(given):
        given.refuse("label_filters" if "label_filters" in given else "label_filter", "cannot be asked of Marathon")
    if asked.port is not None:
        what = "backend_port_override: is passed over: each task is reached at its own port"
        given.told.note(asked.port.place, what, "`port_index` picks one")
    path = given.text("marathon_api_path").replace("%{app}", "{app}")
    url = given.text("marathon_api_url")
    settings = {
        "url": At(url, given.place("marathon_api_url")),
        "path": At(path, given.place("marathon_api_path")) if path else None,
        "interval": _interval(given, 10),
    }
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    source = asked.sources.named("marathon", host, given.place("marathon_api_url"), settings)
    item: dict[str, Any] = {"source": At(source, given.place("marathon_api_url"))}
    item["app"] = At(given.text("application_name"), given.place("application_name"))
    if index := given.whole("port_index", 0, 1000):
        item["port-index"] = At(index, given.place("port_index"))
    return Found([item])


_ZOOKEEPER = ("hosts", "path", "decode", "generator_config_path", "retry_policy", "discovery_jitter")
_ZOOKEEPER_DNS = ("hosts", "path", "nameserver", "check_interval", "generator_config_path")
METHODS: dict[str, tuple[Method, tuple[str, ...]]] = {
    "base": (_stub, ()),
    "stub": (_stub, ()),
    "docker": (_docker, ("servers", "image_name", "container_port", "check_interval")),
    "dns": (_dns, ("servers", "nameserver", "check_interval")),
    "ec2tag": (
        _ec2tag,
        ("tag_name", "tag_value", "aws_region", "aws_access_key_id", "aws_secret_access_key", "check_interval"),
    ),
    "zookeeper": (_zookeeper, _ZOOKEEPER),
    "zookeeper_poll": (_zookeeper, (*_ZOOKEEPER, "polling_interval_sec")),
    "zookeeper_dns": (_zookeeper_dns, (*_ZOOKEEPER_DNS, *_ZOOKEEPER)),
    "zookeeper_dns_poll": (_zookeeper_dns, (*_ZOOKEEPER_DNS, *_ZOOKEEPER, "polling_interval_sec")),
    "marathon": (
        _marathon,
        ("marathon_api_url", "application_name", "marathon_api_path", "port_index", "check_interval"),
    ),
}
"""The methods that stand for themselves, with their keys. `multi` joins them: see `synapse_multi`."""
