"""Where a request for a URL would go, and why: the way HAProxy takes it, step by step.

    URL ─▶ frontend (by port, else by scheme) ─▶ look-ups per host level ─▶ route ─▶ service ─▶ endpoints

The same keys and the same order as in HAProxy's maps (`core.routes`), so that what is said here is what happens.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from longshore.core.conflicts import text_of
from longshore.core.frontend import Frontend
from longshore.core.model import Endpoint, EndpointState, Problem, Route, Service
from longshore.core.routes import frontend_of, hosts_tried, map_key


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an endpoint now. `state` is "up" if it gets requests, else a word that says why not."""

    state: str
    reason: str = ""
    since: float = 0.0  # Unix seconds; 0.0: unknown


@dataclass(frozen=True, slots=True)
class Tried:
    """One look-up: the text, and the longest key that it starts with ("" if there is none)."""

    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One endpoint of the service, whether it would get the request or not."""

    name: str
    address: str  # with the port: "172.18.0.3:8000", "[fd00::3]:8000"
    seen: Seen


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole way of a request. `status` is what longshore itself answers; None if a service does."""

    url: str
    verdict: str  # one sentence
    status: int | None = None
    frontend: str = ""  # the one that takes the request: "http", "listen-8080", "tcp-5432"
    tried: tuple[Tried, ...] = ()
    route: Route | None = None
    service: str = ""
    endpoints: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()  # what else a person should know, most important first
    problems: tuple[Problem, ...] = ()  # those that concern this service or this route


@dataclass(frozen=True, slots=True)
class Known:
    """What the agent knows, as far as it matters for one explanation."""

    services: Iterable[Service]
    frontends: Sequence[Frontend]
    seen: Mapping[tuple[str, str], Seen] = field(default_factory=dict)  # (service, endpoint id)
    problems: Sequence[Problem] = ()
    kept: Container[str] = ()  # names of remembered services


@dataclass(frozen=True, slots=True)
class _Asked:
    scheme: str
    host: str
    port: int | None
    path: str


_Table = dict[str, tuple[Route, Service]]


def explain(url: str, known: Known) -> Explanation:
    """Say where a request for `url` goes ("http://a.test/x", "a.test/x", "a.test:5432", ":5432"). Raises ValueError."""
    asked = _parse(url)
    frontend, table = _frontend(asked, known)
    if frontend is None:
        asked_for = f"port {asked.port}" if asked.port else asked.scheme or "http"
        listening = ", ".join(sorted({f"{b.address} ({f.name})" for f in known.frontends for b in f.binds}))
        return Explanation(
            url,
            f"nothing listens for {asked_for}: the connection is refused",
            notes=(f"longshore listens on {listening or 'nothing'}",),
            problems=tuple(p for p in known.problems if asked.port and _names(p, f":{asked.port}")),
        )
    if frontend.mode == "tcp":
        tried: tuple[Tried, ...] = (Tried(frontend.name, frontend.name if frontend.name in table else ""),)
    else:
        tried = _look_up(asked, table)
    key = tried[-1].key
    if not key:
        return _not_found(url, asked, frontend, tried, table, known)
    route, service = table[key]
    status, verdict, notes = _verdict(service, frontend, known)
    return Explanation(
        url,
        verdict,
        status,
        frontend.name,
        tried,
        route,
        service.name,
        tuple(Candidate(e.name, _address(e), _seen(service, e, known)) for e in service.endpoints),
        notes,
        _problems(service, route, known),
    )


def _parse(url: str) -> _Asked:
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port, host = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError as error:
        raise ValueError(f"{url!r} is no URL: {str(error).lower()}") from None
    if not parts.netloc or any(ord(char) <= 32 for char in text) or parts.scheme not in ("", "http", "https", "tcp"):
        raise ValueError(f'{url!r} is no URL; write "http://a.test/path", "a.test/path" or, for TCP, ":5432"')
    return _Asked(parts.scheme, f"[{host}]" if ":" in host else host, port, parts.path or "/")


def _frontend(asked: _Asked, known: Known) -> tuple[Frontend | None, _Table]:
    """Choose the frontend that takes the request, and the routes it knows."""
    tables: dict[tuple[str, str], _Table] = {}
    for service in known.services:
        for route in service.routes:
            try:
                name, key = frontend_of(route, service.mode), map_key(route, service.mode)
            except ValueError:
                continue  # it is said elsewhere that this route cannot be
            tables.setdefault((service.mode, name), {})[key] = (route, service)

    if asked.port is not None:
        fits = [f for f in known.frontends if any(bind.port == str(asked.port) for bind in f.binds)]
        exact = [f for f in fits if any(bind.address == f"{asked.host}:{asked.port}" for bind in f.binds)]
        fits = exact or fits
    else:
        shared = [f for f in known.frontends if _is_shared(f)]
        secure = asked.scheme == "https"
        fits = [f for f in shared if _is_tls(f) == secure] or ([] if asked.scheme else shared)
    if not fits:
        return None, {}
    frontend = fits[0]
    return frontend, tables.get((frontend.mode, "" if _is_shared(frontend) else frontend.name), {})


def _look_up(asked: _Asked, table: _Table) -> tuple[Tried, ...]:
    """Do the look-ups, ending with the first that finds something."""
    tried = []
    for host in hosts_tried(asked.host):
        text = f"{host}{asked.path}/#"
        key = max((key for key in table if text.startswith(key)), key=len, default="")
        tried.append(Tried(text, key))
        if key:
            break
    return tuple(tried)


def _not_found(
    url: str, asked: _Asked, frontend: Frontend, tried: tuple[Tried, ...], table: _Table, known: Known
) -> Explanation:
    if frontend.mode == "tcp":
        verdict, status = "no service has this port now: the connection is closed", None
        notes: tuple[str, ...] = ()
    else:
        paths = sorted({route.path for route, _ in table.values() if route.host == asked.host})
        hosts = sorted({route.host for route, _ in table.values()})
        status = 404
        if paths:
            verdict = f"404: no route of {asked.host} matches the path {asked.path}"
            notes = (f"{asked.host} has routes for {', '.join(paths)}",)
        else:
            verdict = f"404: no service has the host {asked.host or '(none)'}"
            near = difflib.get_close_matches(asked.host, hosts, 3, 0.6)
            notes = (f"hosts that are like it: {', '.join(near)}",) if near else ()
            notes = notes or (
                f"there are routes for {', '.join(hosts[:5])}{' and others' if len(hosts) > 5 else ''}"
                if hosts
                else "no service has a route here",
            )
    problems = tuple(p for p in known.problems if asked.host and _names(p, asked.host))
    silent = sum(p.where.startswith("container ") and p not in problems for p in known.problems)
    if silent:  # what was refused has no route, so nobody can tell whether it was meant
        notes += (f"{silent} containers have problems and may be meant: longshore status lists them",)
    return Explanation(url, verdict, status, frontend.name, tried, notes=notes, problems=problems)


def _verdict(service: Service, frontend: Frontend, known: Known) -> tuple[int | None, str, tuple[str, ...]]:
    policy, secure = service.policy, _is_tls(frontend)
    name = f'service "{service.name}"'
    if frontend.mode == "http" and not secure and policy.redirect_https:
        return 308, f"308: {name} redirects plain HTTP to https", ()
    if frontend.mode == "http" and not secure and policy.tls:
        return 404, f"404: {name} answers over TLS only, and {frontend.name} is plain HTTP", ()
    notes = ("401 without the right user and password (auth)",) if policy.auth else ()
    up = [e for e in service.endpoints if _seen(service, e, known).state == "up" and e.weight]
    serving = [e for e in up if not e.backup] or up
    if serving:
        copies = f"one of {len(serving)} endpoints" if len(serving) > 1 else f"endpoint {serving[0].name}"
        backup = ", a backup: no other is up" if serving[0].backup else ""
        return None, f"{copies} of {name} answers ({policy.balance}{backup})", notes
    if service.name in known.kept:
        why = "has no endpoint any more; it is remembered for a while"
    elif service.endpoints:
        why = f"has no endpoint that is up, of {len(service.endpoints)}"
    else:
        why = "has no endpoint"
    if frontend.mode == "tcp":
        return None, f"{name} {why}: the connection is closed", notes
    if policy.hold:
        return 503, f"{name} {why}: requests wait up to {policy.hold:g} s for one, then 503", notes
    return 503, f"503: {name} {why}", notes


def _problems(service: Service, route: Route, known: Known) -> tuple[Problem, ...]:
    """Those of the service, and those of others that wanted its route."""
    text = text_of(route, service.mode)
    return tuple(p for p in known.problems if p.service == service.name or f"route {text} " in p.what)


def _names(problem: Problem, text: str) -> bool:
    """Whether a problem speaks of a host or port: the whole word, not a part of another."""
    return re.search(rf"(?<![\w.-]){re.escape(text)}(?![\w-]|\.\w)", f"{problem.where} {problem.what}") is not None


def _seen(service: Service, endpoint: Endpoint, known: Known) -> Seen:
    seen = known.seen.get((service.name, endpoint.id))
    if seen is not None:
        return seen
    state = "up" if endpoint.state is EndpointState.READY else endpoint.state.value
    return Seen(state, endpoint.reason, endpoint.since)


def _address(endpoint: Endpoint) -> str:
    host = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    return f"{host}:{endpoint.port}"


def _is_tls(frontend: Frontend) -> bool:
    return any(bind.certificates for bind in frontend.binds)


def _is_shared(frontend: Frontend) -> bool:
    """Whether it is one of the configuration's, which all use the map of routes without an address of their own."""
    return frontend.mode == "http" and PurePosixPath(frontend.map).name == "routes.map"
