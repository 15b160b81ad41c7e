"""One service of Nerve's as a process of ours that is registered: `register.services.<name>`.

What stands in the registry afterwards is what Nerve would have written, byte by byte. (nerve/service_watcher.rb,
nerve/reporter/*.rb)
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

from longshore.compat.given import At, Given, Told
from longshore.compat.nerve_checks import checks
from longshore.compat.synapse_sources import Sources
from longshore.config.document import Document
from longshore.config.problems import Path, Place, suggestion
from longshore.core.grouping import tidy
from longshore.core.server_options import read as server_options
from longshore.core.values import shown

INTERVAL = 0.5  # seconds
LEAST = 0.05  # seconds between checks; Nerve takes 0, and keeps a processor busy
SESSION = 32.0  # seconds that Nerve's session with ZooKeeper lives on without it
KEYS = (
    *("host", "port", "reporter_type", "check_interval", "checks", "check_mocked", "weight"),
    *("haproxy_server_options", "labels", "rate_limiting", "load_test_concurrency"),
)
REPORTERS = {
    "zookeeper": ("zk_hosts", "zk_path", "node_type", "use_path_encoding", "ttl_seconds"),
    "etcd": ("etcd_host", "etcd_port", "etcd_path"),
    "base": (),
}
NODES = ("ephemeral_sequential", "persistent_sequential", "persistent", "ephemeral")


@dataclass(slots=True)
class Made:
    """A service in our terms. `ttl`: seconds that Nerve's entry would have lived on without it; 0: none is written."""

    name: str
    told: Told
    place: Place
    said: dict[str, Any] = field(default_factory=dict)
    registry: str = ""
    ttl: float = 0.0


def made(document: Document, steps: Path, name: str, instance: str, sources: Sources) -> Made:
    """Translate one service. What is wrong is told in it."""
    ours = tidy(name) or "service"
    told = Told(("register", "services", ours))
    given = Given(document, steps, told)
    service = Made(ours, told, given.place(key=True))
    if ours != name:
        told.note(service.place, f"service {shown(name)} is called {ours} here; in the registry it is as it was")
    reporter = given.text("reporter_type", "zookeeper").lower()
    if reporter not in REPORTERS:
        hint = suggestion(reporter, REPORTERS) or "longshore writes to zookeeper and etcd"
        given.refuse("reporter_type", f"is {shown(reporter)}, which longshore has not", hint)
        return service
    _strange(given, (*KEYS, *REPORTERS[reporter]), reporter)
    given.needs("host", "port")
    said = service.said
    said["address"] = At(given.text("host"), given.place("host"))
    said["port"] = At(given.port("port"), given.place("port"))
    if isinstance(given.data.get("port"), str):
        given.note("port", "is written as a number: Nerve wrote it as the text that it is", steps=("port",))
    said["id"] = At(instance, service.place)
    _checks(given, said)
    _payload(given, said)
    _limit(given, said)
    if "load_test_concurrency" in given:
        given.note("load_test_concurrency", "is for load tests of Nerve: the service is registered once")
    match reporter:
        case "zookeeper":
            _zookeeper(given, service, sources)
        case "etcd":
            _etcd(given, service, sources)
        case _:
            said["registry"] = At([], given.place("reporter_type"))
    return service


def _strange(given: Given, known: tuple[str, ...], reporter: str) -> None:
    """Nerve passes over what it does not know; so do we, and say it."""
    others = [key for keys in REPORTERS.values() for key in keys]
    for key in given.data:
        if key in known:
            continue
        if key in others:
            given.note(key, f"has no meaning for the reporter {reporter}, and is passed over")
        else:
            hint = suggestion(key, [name.replace("_", "-") for name in (*known, *others)]).replace("-", "_")
            hint = hint if hint.startswith("did") else ""
            given.note(key, "is no key of Nerve's, and passed over", hint)


def _checks(given: Given, said: dict[str, Any]) -> None:
    interval = given.number("check_interval")
    interval = INTERVAL if interval is None else interval
    if interval < LEAST:
        given.note(
            "check_interval", f"is {LEAST:g} s: checks without a pause keep a processor busy", steps=("interval",)
        )
    said["interval"] = At(max(interval, LEAST), given.place("check_interval"))
    found = checks(given)
    if given.flag("check_mocked"):
        given.note("check_mocked", "nothing is checked: it counts as healthy for as long as longshore runs")
        said["check"] = At("none", given.place("check_mocked"))
    elif found:
        said["checks"] = At(found, given.place("checks"))
    else:
        said["check"] = At("none", given.place("checks"))


def _payload(given: Given, said: dict[str, Any]) -> None:
    if "weight" in given.data:
        weight = given.data["weight"]
        if isinstance(weight, bool) or not re.fullmatch(r"[0-9]{1,9}", str(weight), re.ASCII):
            given.refuse("weight", f"must be a whole number from 0 on, not {shown(str(weight))}")
        else:
            said["weight"] = At(int(weight), given.place("weight"))
    options = given.text("haproxy_server_options").strip()
    if options:
        said["server-options"] = At(options, given.place("haproxy_server_options"))
        if others := server_options(options).others:
            what = (
                f"stands in the entry as it is, for Synapse; longshore's balancers do not take {shown(others)} from it"
            )
            hint = "they take backup and weight; everything else is the service's policy there"
            given.note("haproxy_server_options", what, hint, ("server-options",))
    if "labels" not in given:
        return
    labels = given.inner("labels")
    found = {}
    for key, value in labels.data.items():
        place = labels.place(key)
        if not isinstance(value, str):
            labels.note(key, "is written as text: Nerve wrote it as it is", steps=("labels", key))
        found[key] = At(value if isinstance(value, str) else json.dumps(value), place)
    said["labels"] = At(found, labels.place(key=True))


def _limit(given: Given, said: dict[str, Any]) -> None:
    limit = given.inner("rate_limiting")
    for key in limit.data:
        if key not in ("shadow_mode", "average_rate", "max_burst"):
            limit.note(key, "is no key of Nerve's, and passed over")
    average, burst = _rate(limit, "average_rate", 0.0), _rate(limit, "max_burst", 1.0)
    shadow = limit.flag("shadow_mode", default=True)
    if average is None:
        if burst is not None:
            limit.note("max_burst", "limits nothing: without average_rate there is no limit", steps=())
        return
    found: dict[str, Any] = {"average": At(average, limit.place("average_rate"))}
    if burst is not None:
        found["burst"] = At(burst, limit.place("max_burst"))
    found["shadow"] = At(shadow, limit.place("shadow_mode"))
    if not shadow and average < 1:
        what = f"the first report is not held back: Nerve made it after {1 / average:g} s" if average else ""
        what = what or "the first report is let through, and nothing after it: Nerve never made any"
        limit.note("average_rate", what, steps=("rate-limit",))
    said["rate-limit"] = At(found, limit.place(key=True))


def _rate(limit: Given, key: str, least: float) -> float | None:
    """A rate; None if it is not said, or infinite."""
    value = limit.data.get(key)
    if isinstance(value, str) and value.strip(".").lower() in ("inf", "infinity"):
        return None
    number = limit.number(key)
    if number is not None and number < least:
        limit.refuse(key, f"must be at least {least:g}, got {number:g}")
    return None if number is None or math.isinf(number) else number


def _zookeeper(given: Given, service: Made, sources: Sources) -> None:
    if not given.needs("zk_hosts", "zk_path"):
        return
    said, path = service.said, given.text("zk_path")
    if not isinstance(given.data["zk_hosts"], list):
        given.refuse("zk_hosts", 'must be a list, like ["zk1:2181"]')
        return
    hosts = []
    for each in sorted(given.texts("zk_hosts"), key=lambda at: str(at.value)):
        host, slash, root = str(each.value).strip().partition("/")
        path = f"/{root.strip('/')}{path}" if slash and root.strip("/") else path
        hosts.append(At(host if re.search(r":[0-9]+$", host) else f"{host}:2181", each.place))
    settings = {"hosts": hosts, "layout": At("nerve", given.place("zk_hosts"))}
    reached = str(hosts[0].value).rpartition(":")[0] if hosts else ""
    service.registry = sources.named("zookeeper", reached, given.place("zk_hosts"), settings)
    service.ttl = SESSION
    said["registry"] = At(service.registry, given.place("zk_hosts"))
    said["path"] = At(path, given.place("zk_path"))
    node = given.one_of("node_type", *NODES) or NODES[0]
    if node != NODES[0]:
        said["node-type"] = At(node.replace("_", "-"), given.place("node_type"))
    if given.data.get("use_path_encoding") is True:
        said["path-encoding"] = At(True, given.place("use_path_encoding"))
    ttl = given.number("ttl_seconds")
    if ttl and node.startswith("persistent"):
        said["touch"] = At(ttl, given.place("ttl_seconds"))
    elif ttl:
        given.note("ttl_seconds", f"has no meaning for {node} nodes: their session keeps them")


def _etcd(given: Given, service: Made, sources: Sources) -> None:
    if not given.needs("etcd_host"):
        return
    said, host = service.said, given.text("etcd_host")
    port = given.port("etcd_port") or 4003
    bare = f"[{host}]" if ":" in host and not host.startswith("[") else host
    endpoint = At(f"http://{bare}:{port}", given.place("etcd_host"))
    settings = {"endpoints": [endpoint], "layout": At("nerve", given.place("etcd_host"))}
    service.registry = sources.named("etcd", host, given.place("etcd_host"), settings)
    service.ttl = float(math.ceil(5 * float(said["interval"].value)))
    said["registry"] = At(service.registry, given.place("etcd_host"))
    said["path"] = At("/" + given.text("etcd_path").strip("/"), given.place("etcd_path"))
    what = "is written with etcd's API v3, which etcd 3.4 and newer have at this port; v2 is gone since 3.6"
    given.note("etcd_host", f"{what}. The last part of the key is the port", steps=("registry",))
