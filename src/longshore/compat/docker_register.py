"""docker-register and docker-discover: what their environment says, in our terms.

    register   HOST_IP, ETCD_HOST, DOCKER_HOST    /backends/<image>/<id> and /backends/<image>/port, for 15 s
    discover   ETCD_HOST                          a TCP port for each image, HAProxy's statistics on :1936

Both spoke etcd's API v2, which etcd 3.6 has no longer: here it is v3. (docker-register's etcd.tmpl and Dockerfile;
docker-discover's main.py and haproxy.cfg.tmpl)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.config.document import Document
from longshore.config.environment import put
from longshore.config.problems import ConfigProblem, Path, Place

PORT = 4001
TTL = "15s"
_V3 = "etcd's API v3 is spoken: what an old one wrote or reads by API v2 is not seen here, nor this there"


def discover(environ: Mapping[str, str]) -> Document:
    """What docker-discover would do."""
    document = _begun("--docker-discover", {"haproxy": {"stats": ":1936"}, "sources": {}})
    _etcd(document, environ)
    return document


def register(environ: Mapping[str, str]) -> Document:
    """What docker-register would do. DOCKER_HOST is read as it always is."""
    section = {"registry": "etcd", "ttl": TTL, "metadata": "docker-register"}
    document = _begun("--docker-register", {"sources": {}, "register": section})
    _etcd(document, environ)
    if document.data is None:
        return document
    if address := environ.get("HOST_IP", "").strip():
        put(document, ("register", "address"), address, Place("HOST_IP"))
    else:
        what = "HOST_IP is not set: this host's address is the one it has towards etcd"
        document.notes.append(ConfigProblem(Place("HOST_IP"), what, ("register",), "HOST_IP=10.0.0.5 says it"))
    return document


def _begun(option: str, data: dict[str, Any]) -> Document:
    return Document(option, data, values={(): Place(option)})


def _etcd(document: Document, environ: Mapping[str, str]) -> None:
    """Say where etcd is, and that its entries are docker-register's."""
    place, path = Place("ETCD_HOST"), ("sources", "etcd")
    words = [word for word in environ.get("ETCD_HOST", "").replace(",", " ").split() if word]
    if not words:
        hint = f"ETCD_HOST=10.0.0.1:2379 longshore … {document.file}"
        document.problems.append(ConfigProblem(place, "is not set: where is etcd?", hint=hint))
        document.data = None
        return
    addresses = list(map(address_of, words))
    put(document, path, {"endpoints": addresses, "prefix": "/backends", "layout": "docker-register"}, place)
    if any(not has_port(word) for word in words):
        what = f"says no port: {PORT} is used, as ever; etcd itself listens on 2379 today"
        _note(document, place, what, (*path, "endpoints"), f"ETCD_HOST={words[0]}:2379")
    _note(document, Place(document.file), _V3, (*path, "layout"))


def address_of(word: str, port: int = PORT) -> str:
    """The URL of a server that is told by its host, and maybe its port."""
    url = word if "://" in word else f"http://{word}"
    return url if has_port(word) else f"{url.rstrip('/')}:{port}"


def has_port(word: str) -> bool:
    """Whether a host is told with its port."""
    return ":" in word.rpartition("://")[2].rpartition("]")[2]


def _note(document: Document, place: Place, what: str, path: Path, hint: str = "") -> None:
    document.notes.append(ConfigProblem(place, what, path, hint))
