"""The status and an explanation as lines for people. Pure: records in, lines out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence

from longshore.agent.report import EndpointStatus, HaproxyStatus, ServiceStatus, SourceStatus, Status
from longshore.cli.shown_registrar import lease_lines, registrar_lines
from longshore.cli.text import Colour, ago, clean, clock, columns, paint, plural
from longshore.core.conflicts import text_of
from longshore.core.explain import Explanation
from longshore.core.model import Problem
from longshore.core.places import joined

COLOURS: dict[str, Colour] = {"up": "green", "down": "red", "stale": "red", "current": "green", "standby": "dim"}
SHARED = {
    "waiting": "joined when {until}",
    "beside": "both get new connections",
    "taken over": "all new connections come here, the other may be stopped",
}
WAITS = 5  # things it waits for that are listed
BAR = 3  # routes of a service that are listed; the rest are counted


def status_lines(status: Status, *, brief: bool = False, now: float | None = None) -> list[str]:
    """Everything, or with `brief` only the services."""
    now = time.time() if now is None else now
    lines: list[str] = []
    if not brief:
        lines += [*_head(status, now)]
        lines += ["", *_sources(status.sources, now)] if status.haproxy else []
        lines += ["", *registrar_lines(status.registrar, now)] if status.registrar else []
    elif status.registrar and status.registrar.leases:
        lines += ["", *lease_lines(status.registrar.leases, status.registrar.owner, now)]
    for service in status.services:
        lines += ["", *_service(service, now)]
    if not status.services and status.haproxy and not brief:
        lines += ["", "no services yet: start a container with the label longshore.host or longshore.port"]
    if not brief:
        lines += _problems(status.problems)
        lines += ["", "pending", *(f"  {clean(each)}" for each in status.pending)] if status.pending else []
    return lines[1:] if brief and lines else lines


def problem_lines(problems: Iterable[Problem], indent: str = "") -> list[str]:
    """Each problem: where and what, then what to do."""
    lines = []
    for problem in problems:
        lines.append(f"{indent}{clean(problem.where)}: {clean(problem.what)}")
        if problem.hint:
            lines.append(f"{indent}  {clean(problem.hint)}")
    return lines


def explanation_lines(told: Explanation, now: float | None = None) -> list[str]:
    """The way of a request, the answer first."""
    now = time.time() if now is None else now
    good = told.service and told.status is None
    lines = [paint(clean(told.verdict), "green" if good else "yellow"), ""]
    facts: list[tuple[str, str]] = []
    if told.frontend:
        facts.append(("frontend", told.frontend))
    facts += [("looked up", f"{t.text}  {'matches ' + t.key if t.key else 'no match'}") for t in told.tried]
    if told.route and told.service:
        facts.append(("route", text_of(told.route, "tcp" if told.frontend.startswith("tcp-") else "http")))
        facts.append(("service", told.service))
    lines += columns(facts)
    if told.endpoints:
        lines += ["endpoints"]
        rows = [
            (e.seen.state, e.name, "" if e.address == e.name else e.address, ago(e.seen.since, now), e.seen.reason)
            for e in sorted(told.endpoints, key=lambda candidate: as_counted(candidate.name))
        ]
        lines += columns(rows, "  ", [COLOURS.get(row[0], "yellow") for row in rows])
    lines += [f"note: {clean(note)}" for note in told.notes]
    return lines + _problems(told.problems)


def as_counted(name: str) -> list[tuple[int, str]]:
    """Sort names as people count: web-2 before web-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def _head(status: Status, now: float) -> Iterator[str]:
    ready = paint("ready", "green") if status.ready else paint("not ready yet", "yellow")
    if status.ready and status.unserved:
        ready = paint(f"ready, but not served: {clean(', '.join(status.unserved))}", "red")
    what = "longshore " if status.haproxy else "longshore registrar "
    yield f"{paint(what + clean(status.version), 'bold')}: {ready}, up {ago(status.started, now) or '0 s'}"
    for each in () if status.ready else status.waits_for[:WAITS]:
        yield f"waits for {clean(each)}"
    if not status.ready and (more := len(status.waits_for) - WAITS) > 0:
        yield f"and for {plural(more, 'other thing')}"
    if status.haproxy is None:
        return
    yield clean(_haproxy(status.haproxy, now))
    if status.haproxy.addresses:
        yield f"listens on {clean(', '.join(status.haproxy.addresses))}"
    for shared in status.haproxy.shared:
        state = SHARED[shared.state].format(until=clean(shared.until) or "everything is ready")
        yield paint(f"shares {clean(shared.address)} with {clean(shared.by)}: {state}", "yellow")


def _haproxy(haproxy: HaproxyStatus, now: float) -> str:
    parts = [f"HAProxy {haproxy.version or '(version unknown)'}: {haproxy.state}, {haproxy.mode}"]
    if haproxy.pid:
        parts.append(f"pid {haproxy.pid}")
    if haproxy.started:
        parts.append(f"up {ago(haproxy.started, now)}")
    parts.append(plural(haproxy.reloads, "reload"))
    if haproxy.last_reload:
        parts.append(f"the last {ago(haproxy.last_reload, now)} ago: {haproxy.last_reload_reason}")
    return ", ".join(parts)


def _sources(sources: Sequence[SourceStatus], now: float) -> Iterator[str]:
    yield paint("sources", "bold")
    rows = [
        (
            source.state,
            source.name if source.name == source.type else f"{source.name} ({source.type})",
            f"{plural(source.services, 'service')}, {plural(source.endpoints, 'endpoint')}"
            + (f", frozen: {source.kept:,} of them not registered" if source.kept else ""),
            ago(source.since, now),
            source.reason,
        )
        for source in sources
    ]
    yield from columns(rows, "  ", [COLOURS.get(source.state, "yellow") for source in sources])


def _service(service: ServiceStatus, now: float) -> Iterator[str]:
    routes = [text_of(route, service.mode) for route in service.routes]
    listed = ", ".join(routes[:BAR]) + (f" and {len(routes) - BAR} more" if len(routes) > BAR else "")
    count = f"{service.up} of {len(service.endpoints)} up"
    good = service.up == len(service.endpoints) > 0
    count = paint(count, "green" if good else "yellow" if service.up else "red")
    yield f"{paint(clean(service.name), 'bold')}  {count}  {clean(service.balance)}  {clean(listed) or 'no route'}"
    endpoints = sorted(service.endpoints, key=lambda endpoint: as_counted(endpoint.name))
    rows = [_endpoint(endpoint, now) for endpoint in endpoints]
    yield from columns(rows, "  ", [COLOURS.get(endpoint.state, "yellow") for endpoint in endpoints])


def _endpoint(endpoint: EndpointStatus, now: float) -> tuple[str, ...]:
    said = " (set)" if endpoint.weight_set else ""
    address = joined(endpoint.address, endpoint.port)
    return (
        endpoint.state,
        endpoint.name,
        "" if address == endpoint.name else address,
        f"weight {endpoint.weight}{said}{_role(endpoint)}",
        "" if endpoint.sessions is None else plural(endpoint.sessions, "session"),
        ago(endpoint.since, now),
        endpoint.reason,
    )


def _role(endpoint: EndpointStatus) -> str:
    role = endpoint.role or ("backup" if endpoint.backup else "")
    return "" if role in ("", endpoint.state) else f", {role}"


def _problems(problems: Sequence[Problem]) -> list[str]:
    return ["", paint("problems", "red"), *problem_lines(problems, "  ")] if problems else []


def event_line(at: float, what: str, why: str = "") -> str:
    """One entry of the journal."""
    return f"{clock(at)}  {clean(what)}" + (f"  {paint(clean(why), 'dim')}" if why else "")
