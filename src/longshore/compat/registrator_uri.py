"""The registry that registrator's URI names, as a source of ours: where it is, beneath what, in which layout.

    consul://host:8500   consul-tls://host:8501   consul-unix:///path    services of the agent
    consulkv://host:8500/prefix   consulkv-unix:///path:/prefix          keys
    etcd://host:2379/prefix       skydns2://host:2379/domain             keys
    zookeeper://host:2181/base                                           nodes

Several servers of etcd and ZooKeeper may be named, with commas. (docs/user/backends.md and the adapters of registrator)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from longshore.compat.docker_register import address_of, has_port
from longshore.core.layouts import skydns2
from longshore.core.values import RefusedError, shown

TLS = {"ca": "CONSUL_CACERT", "cert": "CONSUL_CLIENT_CERT", "key": "CONSUL_CLIENT_KEY"}
HTTP = {"consul": "consul://localhost:8500", "http": "consul://localhost:8500", "zk": "zookeeper://localhost:2181/base"}


@dataclass(slots=True)
class Registry:
    """A source: its type, its settings, and which of them an environment variable says."""

    type: str
    settings: dict[str, Any]
    variables: dict[tuple[str, ...], str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)  # variables that mean something to registrator, and nothing here


def registry_of(uri: str, environ: Mapping[str, str]) -> Registry:
    """Read a URI. Raises RefusedError."""
    match = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*)([^?#]*))?", uri, re.ASCII)
    scheme = uri.partition(":")[0].lower()
    if match is None and scheme in SCHEMES:
        raise RefusedError(f"{shown(uri)} is not the URI of a registry", f"like {SCHEMES[scheme][0]}")
    if match is None or scheme not in SCHEMES:
        close = get_close_matches(scheme, SCHEMES, 1, 0.6)
        meant = HTTP.get(scheme) or (SCHEMES[close[0]][0] if close else "")
        hint = f"did you mean {meant}?" if meant else f"known are: {', '.join(SCHEMES)}"
        raise RefusedError(f"{shown(uri)} is not the URI of a registry", hint)
    example, read = SCHEMES[scheme]
    place, path = match[2] or "", match[3] or ""
    if "@" in place:
        raise RefusedError(f"{shown(uri)} says a user, which registrator does not send either", f"like {example}")
    return read(scheme, place, path, environ)


def _consul(scheme: str, place: str, path: str, environ: Mapping[str, str]) -> Registry:
    layout = "consulkv" if scheme.startswith("consulkv") else "registrator"
    found = Registry("consul", {"layout": layout})
    tls = scheme == "consul-tls" or _yes(environ.get("CONSUL_HTTP_SSL", ""))
    if scheme.endswith("-unix"):
        socket, colon, prefix = f"{place}{path}".partition(":")
        if not socket.startswith("/") or (scheme == "consulkv-unix" and not colon):
            raise RefusedError(f"{shown(socket)} is not the path of a socket", f"like {SCHEMES[scheme][0]}")
        found.settings["address"], path, tls = f"unix://{socket}", prefix, False
    elif not place and scheme == "consul-tls":
        raise RefusedError("says no address", f"like {SCHEMES[scheme][0]}")
    else:
        said = place or environ.get("CONSUL_HTTP_ADDR", "")
        if not place and said:
            found.variables["address",] = "CONSUL_HTTP_ADDR"
        scheme_of = re.match(r"(?:(https?|unix)://)?(.*)", said)
        assert scheme_of is not None
        tls = tls or scheme_of[1] == "https"
        host = address_of(scheme_of[2] or "127.0.0.1", 8500).removeprefix("http://")
        found.settings["address"] = said if scheme_of[1] == "unix" else f"{'https' if tls else 'http'}://{host}"
    if layout == "consulkv":
        found.settings["prefix"] = _prefix(path, SCHEMES[scheme][0])
    elif path.strip("/") and not scheme.endswith("-unix"):
        raise RefusedError(f"{shown(path)}: Consul's services stand beneath no path", "consulkv:// writes keys")
    _secrets(found, environ, tls=tls)
    return found


def _secrets(found: Registry, environ: Mapping[str, str], *, tls: bool) -> None:
    """Take in the token and the certificates that Consul's own variables tell."""
    if environ.get("CONSUL_HTTP_TOKEN"):
        found.settings["token-variable"] = "CONSUL_HTTP_TOKEN"
        found.variables["token-variable",] = "CONSUL_HTTP_TOKEN"
    elif path := environ.get("CONSUL_HTTP_TOKEN_FILE"):
        found.settings["token-file"] = path
        found.variables["token-file",] = "CONSUL_HTTP_TOKEN_FILE"
    files = {key: environ[name] for key, name in TLS.items() if environ.get(name)} if tls else {}
    if files:
        found.settings["tls"] = files
        found.variables |= {("tls", key): TLS[key] for key in files}
    if environ.get("CONSUL_HTTP_AUTH"):
        found.refused.append("CONSUL_HTTP_AUTH")
    if tls and environ.get("CONSUL_HTTP_SSL_VERIFY") and not _yes(environ["CONSUL_HTTP_SSL_VERIFY"]):
        found.refused.append("CONSUL_HTTP_SSL_VERIFY")


def _etcd(scheme: str, place: str, path: str, _: Mapping[str, str]) -> Registry:
    endpoints = [address_of(host, 2379) for host in _hosts(place)] or ["http://127.0.0.1:2379"]
    example = SCHEMES[scheme][0]
    if scheme == "etcd":
        return Registry("etcd", {"endpoints": endpoints, "layout": "registrator", "prefix": _prefix(path, example)})
    domain = path.strip("/")
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", domain, re.ASCII):
        raise RefusedError(f"{shown(domain)} is not a domain" if domain else "says no domain", f"like {example}")
    return Registry("etcd", {"endpoints": endpoints, "layout": "skydns2", "prefix": skydns2.prefix_of(domain)})


def _zookeeper(_: str, place: str, path: str, __: Mapping[str, str]) -> Registry:
    hosts = [host if has_port(host) else f"{host}:2181" for host in _hosts(place)]
    example = SCHEMES["zookeeper"][0]
    if not hosts:
        raise RefusedError("says no address", f"like {example}")
    return Registry("zookeeper", {"hosts": hosts, "layout": "registrator", "prefix": _prefix(path, example)})


def _hosts(place: str) -> Iterator[str]:
    return (host for host in place.split(",") if host)


def _prefix(path: str, example: str) -> str:
    if not path.strip("/"):
        raise RefusedError("says no path: entries would stand among everything else there", f"like {example}")
    return "/" + path.strip("/")


def _yes(text: str) -> bool:
    return text.lower() in ("1", "t", "true")


Read = Callable[[str, str, str, Mapping[str, str]], Registry]
SCHEMES: dict[str, tuple[str, Read]] = {
    "consul": ("consul://localhost:8500", _consul),
    "consul-tls": ("consul-tls://consul.example.com:8501", _consul),
    "consul-unix": ("consul-unix:///var/run/consul.sock", _consul),
    "consulkv": ("consulkv://localhost:8500/services", _consul),
    "consulkv-unix": ("consulkv-unix:///var/run/consul.sock:/services", _consul),
    "etcd": ("etcd://localhost:2379/services", _etcd),
    "skydns2": ("skydns2://localhost:2379/cluster.local", _etcd),
    "zookeeper": ("zookeeper://localhost:2181/services", _zookeeper),
}
