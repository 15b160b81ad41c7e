"""Synapse's discovery methods that read entries in ZooKeeper: zookeeper, zookeeper_poll, zookeeper_dns, …_dns_poll."""

from __future__ import annotations

from typing import Any

from longshore.compat.given import At, Given
from longshore.compat.synapse_found import NOT_NEEDED, Asked, Found, labelled

KEYS = ("hosts", "path", "decode", "generator_config_path", "retry_policy", "discovery_jitter")
NAMED_KEYS = ("hosts", "path", "nameserver", "check_interval", "generator_config_path")


def entries(given: Given, asked: Asked) -> Found:
    """Entries beneath a path, as Nerve or Finagle write them."""
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
    if "generator_config_path" not in given and not asked.configured:
        what = "what stands in this node for HAProxy is not read: a registry cannot write into its configuration"
        given.note("path", what, "write `haproxy` with its `port` into the service")
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
    return Found([labelled(item, given, asked)])


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


def named_entries(given: Given, asked: Asked) -> Found:
    """Entries that say names, and who is asked for their addresses."""
    found = entries(given, asked)
    if nameservers := given.texts("nameserver"):
        for item in found.items:
            item["nameserver"] = nameservers[0] if len(nameservers) == 1 else nameservers
    return found
