"""Registry entries for people and as JSON: what stands there, who keeps it, since when, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longshore.cli.text import ago, clean, columns, paint, plural
from longshore.core.entries import Broken, Entry, Setting, is_copy
from longshore.core.inventory import Found, Inventory, is_used
from longshore.core.model import Problem
from longshore.core.places import joined
from longshore.core.registered import Registered
from longshore.core.registered_options import Options
from longshore.core.values import shown

SHOWN_LABELS = 4


def problems_of(inventory: Inventory, options: Options) -> dict[str, list[Problem]]:
    """What a balancer would say of entries, by key."""
    registered = Registered(options)
    registered.replace(inventory.values)
    _, problems = registered.build()
    by_where: dict[str, list[Problem]] = {}
    for problem in problems:
        by_where.setdefault(problem.where, []).append(problem)
    found = {key: by_where.pop(f"{options.source} {shown(key, 160)[1:-1]}", []) for key in inventory.found}
    return {key: said for key, said in found.items() if said} | {"": [p for said in by_where.values() for p in said]}


def listing_lines(
    inventory: Inventory, options: Options, kind: str, service: str = "", now: float | None = None
) -> list[str]:
    """One registry, service by service; with `service` only that."""
    problems = problems_of(inventory, options)
    services = by_service(inventory.entries)
    count = f"{plural(len(services), 'service')}, {plural(len(inventory.entries), 'entry', 'entries')}"
    name = options.source if options.source == kind else f"{options.source} ({kind})"
    lines = [f"{paint(clean(name), 'bold')}  {clean(options.prefix)}  {options.layout.name}  {count}"]
    settings = inventory.settings
    for each in sorted({*services, *settings}):
        if service and each != service:
            continue
        said = ", ".join(f"{key}={value}" for key, value in sorted(settings.get(each, {}).items()))
        lines += ["", paint(clean(each) or "(no service)", "bold") + (f"  {clean(said)}" if said else "")]
        entries = sorted(services.get(each, {}).items(), key=lambda item: (item[1].id, item[0]))
        rows = columns((row(entry, now) for _, entry in entries), "  ")
        for line, (key, entry) in zip(rows, entries, strict=True):
            lines.append(line)
            if not is_used(entry, options):
                lines.append("    is not used: the source's filters pass it over")
            lines += _problem_lines(problems.get(key, ()))
    if service:
        return lines
    if inventory.broken:
        lines += ["", paint("broken", "red")]
        lines += [line for key, broken in sorted(inventory.broken.items()) for line in broken_lines(key, broken)]
    if problems[""]:
        lines += ["", paint("problems", "red"), *_problem_lines(problems[""], where=True)]
    return lines


def row(entry: Entry, now: float | None = None) -> tuple[str, ...]:
    """The cells of one entry."""
    labels = [f"{key}={value}" for key, value in entry.labels]
    more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
    return (
        entry.id,
        joined(entry.host, entry.port),
        entry.name if entry.name not in (entry.id, entry.host) else "",
        "" if entry.weight is None else f"weight {entry.weight}",
        f"zone {entry.zone}" if entry.zone else "",
        ("copied by " if is_copy(entry) else "owner ") + entry.owner if entry.owner else "no owner",
        f"since {ago(entry.since, now)}" if entry.since else "age unknown",
        entry.status,
        " ".join(entry.tags),
        ", ".join(labels[:SHOWN_LABELS]) + more,
    )


def found_line(key: str, found: Found) -> str:
    """One entry in one line, for those who watch."""
    match found:
        case Entry():
            return "  ".join(filter(None, (f"{found.service}/{clean(found.id)}", *map(clean, row(found)[1:]))))
        case Setting():
            return clean(f"{found.service}: " + ", ".join(f"{name}={value}" for name, value in found.labels))
        case Broken():
            return clean(f"{key}: {found.what}")


def broken_lines(key: str, broken: Broken) -> list[str]:
    """What is wrong with what stands at a key."""
    return [f"  {clean(key)}: {clean(broken.what)}", *([f"    {clean(broken.hint)}"] if broken.hint else [])]


def by_service(entries: Mapping[str, Entry]) -> dict[str, dict[str, Entry]]:
    """Entries by service and key."""
    found: dict[str, dict[str, Entry]] = {}
    for key, entry in entries.items():
        found.setdefault(entry.service, {})[key] = entry
    return found


def as_json(key: str, found: Found, problems: Iterable[Problem] = ()) -> dict[str, Any]:
    """What stands at a key, for programs."""
    match found:
        case Entry():
            fields = ("service", "id", "host", "port", "name", "weight", "zone", "owner", "machine", "status", "since")
            said: dict[str, Any] = {"key": key} | {field: getattr(found, field) for field in fields}
            said |= {"labels": dict(found.labels), "tags": list(found.tags), "copy": is_copy(found)}
            return said | {"problems": [{"what": problem.what, "hint": problem.hint} for problem in problems]}
        case Setting():
            return {"key": key, "service": found.service, "setting": dict(found.labels)}
        case Broken():
            return {"key": key, "broken": found.what, "hint": found.hint}


def listing_json(inventory: Inventory, options: Options, kind: str, service: str = "") -> dict[str, Any]:
    """One registry, for programs."""
    problems = problems_of(inventory, options)
    entries = [
        as_json(key, found, problems.get(key, ())) | {"used": is_used(found, options)}
        for key, found in sorted(inventory.entries.items())
        if service in ("", found.service)
    ]
    broken = [] if service else [as_json(key, found) for key, found in sorted(inventory.broken.items())]
    settings = {name: said for name, said in inventory.settings.items() if service in ("", name)}
    whole = {"name": options.source, "type": kind, "prefix": options.prefix, "layout": options.layout.name}
    return whole | {"entries": entries, "settings": settings, "broken": broken}


def _problem_lines(problems: Sequence[Problem], *, where: bool = False) -> list[str]:
    lines = []
    for problem in problems:
        lines.append(f"    {clean(problem.where) + ': ' if where else ''}{clean(problem.what)}")
        lines += [f"      {clean(problem.hint)}"] if problem.hint else []
    return lines
