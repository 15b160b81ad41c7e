"""What somebody said of one service: keys and values in, a checked `Spec` out, and from it mode, routes and policy.

`check` finds everything that is wrong at once: unknown keys, values that cannot be, keys that contradict each other.
One problem is enough to refuse the whole: a service that runs without the restriction its owner misspelled is worse
than one that does not run yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any, Literal

from longshore.core import balance
from longshore.core.keys import KEYS, closest
from longshore.core.model import Check, Mode, Policy, Problem, Route, ZoneWeight
from longshore.core.places import Path, Spot
from longshore.core.register_check import RegisterCheck
from longshore.core.values import RefusedError, shown

MOST_ROUTES = 1024  # hosts times paths times addresses of one service


@dataclass(frozen=True, slots=True)
class Spec:
    """The parsed keys of one service; None or () where nothing was said. `given` are the names of the keys said."""

    given: frozenset[str] = field(default_factory=frozenset)
    enable: bool = True
    service: str = ""
    host: tuple[str, ...] = ()
    path: tuple[Path, ...] = ()
    strip_path: bool | None = None
    listen: tuple[str, ...] = ()
    tcp: tuple[str, ...] = ()
    port: int | None = None
    network: str = ""
    address: Spot | None = None
    weight: int | None = None
    backup: bool | None = None
    server_tls: Literal["", "verify", "insecure"] | None = None
    balance: str | None = None
    sticky: str | None = None
    slow_start: float | None = None
    max_connections: int | None = None
    check: str | None = None
    check_method: Literal["GET", "HEAD", "OPTIONS"] | None = None
    check_host: str | None = None
    check_status: str | None = None
    check_expect: str | None = None
    check_interval: float | None = None
    check_timeout: float | None = None
    check_rise: int | None = None
    check_fall: int | None = None
    tls: bool | None = None
    redirect_https: bool | None = None
    hsts: int | None = None
    auth: tuple[str, ...] | None = None
    hold: float | None = None
    drain: float | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    queue_timeout: float | None = None
    tunnel_timeout: float | None = None
    retries: int | None = None
    prefer: Literal["", "host", "zone"] | None = None
    only: Literal["", "leader"] | None = None
    zone_weights: tuple[ZoneWeight, ...] | None = None
    zone: str = ""
    register: bool | None = None
    register_address: Spot | None = None
    register_check: RegisterCheck | None = None
    deregister_delay: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, at one key ("" if it is about the whole). `what` does not name the key."""

    key: str
    what: str
    hint: str = ""


_POLICY = tuple(part.name for part in fields(Policy) if part.name != "check")
_CHECK = tuple(part.name for part in fields(Check) if part.name not in ("kind", "path"))
_HTTP_ONLY = ("host", "path", "strip-path", "listen", "sticky", "tls", "redirect-https", "hsts", "auth")
_HTTP_CHECK_ONLY = ("check-method", "check-host", "check-status", "check-expect")
_CHECK_ONLY = ("check-interval", "check-timeout", "check-rise", "check-fall")


def check(pairs: Mapping[str, object], *, operator: bool = False) -> tuple[Spec | None, tuple[Fault, ...]]:
    """Parse keys and values. Gives the Spec, or None and everything that is wrong.

    Values may be text (labels) or text, numbers, switches and lists (YAML). `enable: false` needs nothing else right.
    `operator`: they stand in a file of the operator's, who may listen on sockets.
    """
    faults: list[Fault] = []
    read: dict[str, Any] = {}
    for name, raw in pairs.items():
        key = KEYS.get(name)
        if key is None:
            guess = closest(name)
            what = f"unknown key; did you mean {guess}?" if guess else "unknown key"
            faults.append(Fault(name, what, "" if guess else "the reference of keys lists all that exist"))
            continue
        try:
            parse = key.operator if operator and key.operator else key.parse
            read[key.field] = parse(raw)
        except RefusedError as refusal:
            faults.append(Fault(name, str(refusal), refusal.hint))
    if read.get("enable") is False:
        return Spec(given=frozenset({"enable"}), enable=False), ()
    if faults:
        return None, tuple(faults)
    spec = Spec(given=frozenset(pairs), **read)
    faults = _contradictions(spec)
    return (None, tuple(faults)) if faults else (spec, ())


def parse(pairs: Mapping[str, object], where: str, prefix: str = "") -> tuple[Spec | None, tuple[Problem, ...]]:
    """Like `check`, with problems for people: `where` says which container or file, `prefix` precedes each key."""
    spec, faults = check(pairs)
    return spec, tuple(problem_of(fault, where, prefix) for fault in faults)


def problem_of(fault: Fault, where: str, prefix: str = "") -> Problem:
    """Put a fault into a sentence: "label longshore.wieght: unknown key; did you mean weight?"."""
    key = fault.key if fault.key in KEYS else shown(fault.key)[1:-1]
    return Problem(where, f"{prefix}{key}: {fault.what}", fault.hint)


def service_parts(spec: Spec, name: str = "") -> tuple[Mode, tuple[Route, ...], Policy]:
    """Give mode, routes and policy of a checked spec.

    Without host, path, listen and tcp there is no route; with `name` it is then the host "<name>.localhost".
    """
    mode: Mode = "tcp" if spec.tcp else "http"
    if spec.tcp:
        routes = tuple(Route(listen=listen) for listen in spec.tcp)
    elif spec.host or spec.path or spec.listen:
        places = product(spec.listen or ("",), spec.host or ("*",), spec.path or (Path(),))
        routes = tuple(Route(host, path.path, path.exact, listen) for listen, host, path in places)
    else:
        routes = (default_route(name),) if name else ()
    return mode, routes, _policy(spec)


def default_route(service: str) -> Route:
    """Give the route of a service that says nothing of its own: every system resolves *.localhost to itself."""
    return Route(host=f"{service.lower()}.localhost")


def _policy(spec: Spec) -> Policy:
    said = {name: value for name in _POLICY if (value := getattr(spec, name)) is not None}
    if spec.only:
        said["sticky"] = ""  # a cookie would lead past the leader
    return Policy(check=_check(spec), **said)


def _check(spec: Spec) -> Check:
    said: dict[str, Any] = {}
    for name in _CHECK:
        if (value := getattr(spec, f"check_{name}")) is not None:
            said[name] = value
    if spec.check is not None and spec.check.startswith("/"):
        return Check(kind="http", path=spec.check, **said)
    return Check(kind="none" if spec.check == "none" else "tcp", **said)


def _contradictions(spec: Spec) -> list[Fault]:
    found: list[Fault] = []
    if spec.tcp:
        found += [
            Fault(key, "has no meaning for a TCP service", f"remove {key}, or remove tcp")
            for key in _HTTP_ONLY
            if key in spec.given and getattr(spec, KEYS[key].field)
        ]
        if spec.balance is not None and balance.parse(spec.balance).http:
            found.append(
                Fault("balance", f"{spec.balance} reads HTTP requests, and the service is TCP", "choose source")
            )
    if len(spec.listen or ("",)) * len(spec.host or ("",)) * len(spec.path or ("",)) > MOST_ROUTES:
        found.append(Fault("host", f"hosts times paths give over {MOST_ROUTES:,} routes", "use several services"))
    if spec.strip_path and not any(path.path != "/" for path in spec.path):
        found.append(Fault("strip-path", "there is no path to remove", "add path, or remove strip-path"))
    if spec.tls and spec.redirect_https:
        found.append(Fault("redirect-https", "tls answers 404 on plain HTTP, this a redirect", "keep one of the two"))
    if spec.listen:
        found += [
            Fault(
                key,
                "an address of its own (listen) speaks plain HTTP only",
                f"remove {key}, or use the common frontends",
            )
            for key in ("tls", "redirect-https")
            if getattr(spec, KEYS[key].field)
        ]
    if spec.only:
        found += [
            Fault(key, "shares traffic out, and only=leader gives all of it to one", "keep one of the two")
            for key in ("prefer", "zone-weights")
            if getattr(spec, KEYS[key].field)
        ]
    if spec.network and spec.address is not None:
        found.append(Fault("network", "address already says where the container is reached", "keep one of the two"))
    return found + _check_contradictions(spec)


def _check_contradictions(spec: Spec) -> list[Fault]:
    if spec.check is not None and spec.check.startswith("/"):
        if spec.check_method == "HEAD" and spec.check_expect:
            return [Fault("check-expect", "an answer to HEAD has no body", "leave check-method out")]
        return []
    said = f"and check is {spec.check}" if spec.check else "and the check is a TCP connect"
    found = [
        Fault(key, f"belongs to an HTTP check, {said}", "say the path: check=/")
        for key in _HTTP_CHECK_ONLY
        if key in spec.given
    ]
    if spec.check == "none":
        found += [
            Fault(key, "has no meaning with check=none", "remove one of the two")
            for key in _CHECK_ONLY
            if key in spec.given
        ]
    return found
