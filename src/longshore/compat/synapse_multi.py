"""Synapse's method `multi`, and `discovery_multi` beside `discovery`: several discoveries, and who of them counts.

union        all of them together
sequential   `from-first`: the first in the order that has endpoints
s3_toggle    `from-toggle`: the one that a file in S3 names
base         none of them: a base for resolvers of others, which has no endpoints by itself
"""

from __future__ import annotations

from typing import Any

from longshore.compat.given import At, Given
from longshore.compat.synapse_discovery import METHODS, RENAMED, discovered
from longshore.compat.synapse_found import FILTERS, Asked, Found, bearable, conditions
from longshore.config.problems import suggestion
from longshore.core.values import shown

PRIMARY = "primary"
RESOLVERS = {
    "union": (),
    "sequential": ("sequential_order",),
    "s3_toggle": ("s3_url", "s3_polling_interval_seconds"),
    "base": (),
}


def all_discovered(service: Given, asked: Asked) -> Found:
    """What the discovery of a service becomes, whether it is one or many."""
    plain = service.inner("discovery")
    if "discovery_multi" in service:
        multi = service.inner("discovery_multi")
        multi.only(("method", "watchers", "resolver", *FILTERS))
        if multi.text("method", "multi") != "multi":
            multi.refuse("method", "must be multi")
        if not service.needs("discovery", hint="it is the watcher `primary` of discovery_multi"):
            return Found()
        watchers = {each.path[-1]: each for each in multi.inners("watchers")}
        if PRIMARY in watchers:
            multi.note("watchers", "primary is passed over: `discovery` of the service is the primary one")
        return _resolved(multi, {**watchers, PRIMARY: plain}, asked)
    if plain.data.get("method") != "multi":
        service.needs("discovery", hint=f"say how its servers are found, by method {', '.join(METHODS)} or multi")
        return discovered(plain, asked) if plain.data else Found()
    plain.only(("method", "watchers", "resolver", *FILTERS))
    plain.needs("watchers")
    return _resolved(plain, {each.path[-1]: each for each in plain.inners("watchers")}, asked)


def _resolved(multi: Given, watchers: dict[Any, Given], asked: Asked) -> Found:
    resolver = multi.inner("resolver")
    if not multi.needs("resolver", hint="union, sequential, s3_toggle or base") or not resolver.needs("method"):
        return Found()
    method = resolver.text("method")
    if method not in RESOLVERS:
        hint = RENAMED.get(method) or suggestion(method, [name.replace("_", "-") for name in RESOLVERS])
        resolver.refuse("method", f"is {shown(method)}, which is no resolver", hint.replace("-", "_"))
        return Found()
    resolver.only(("method", *RESOLVERS[method]))
    within = Asked(asked.sources, asked.port, (*asked.conditions, *conditions(multi)), asked.configured)
    if conditions(multi):
        key = "label_filters" if "label_filters" in multi else "label_filter"
        multi.note(key, "holds for each of the watchers; Synapse heeded only their own")
    found = {str(name): discovered(watcher, within) for name, watcher in watchers.items()}
    match method:
        case "sequential":
            return _sequential(resolver, found)
        case "s3_toggle":
            return _toggled(resolver, found)
        case "base":
            resolver.note("method", "the resolver base finds nothing: the service has no endpoints, as with Synapse")
            return Found()
    return Found(
        [item for each in found.values() for item in each.items],
        [endpoint for each in found.values() for endpoint in each.endpoints],
    )


def _sequential(resolver: Given, found: dict[str, Found]) -> Found:
    if not resolver.needs("sequential_order"):
        return Found()
    order = [str(name.value) for name in resolver.texts("sequential_order")]
    for name in order:
        if name not in found:
            hint = suggestion(name, found)
            resolver.refuse("sequential_order", f"names {shown(name)}, which is no watcher", hint)
    for name in found.keys() - set(order):
        resolver.refuse("sequential_order", f"does not say where {shown(name)} comes", "add it")
    ordered = [name for name in order if name in found]
    certain = next((name for name in ordered if found[name].endpoints), None)
    if certain is None:
        return Found(_named(ordered, found), first=len(ordered) > 1)
    for name in ordered[ordered.index(certain) + 1 :]:
        what = f"{shown(name)} never has its turn: {shown(certain)} names addresses, which are always there"
        resolver.note("sequential_order", what)
    return Found(
        _named(ordered[: ordered.index(certain) + 1], found),
        found[certain].endpoints,
        first=bool(ordered.index(certain)),
    )


def _toggled(resolver: Given, found: dict[str, Found]) -> Found:
    if not resolver.needs("s3_url", "s3_polling_interval_seconds"):
        return Found()
    seconds = bearable(resolver, "s3_polling_interval_seconds")
    toggle = {
        "url": At(resolver.text("s3_url"), resolver.place("s3_url")),
        "interval": At(f"{seconds or 0:g}s", resolver.place("s3_polling_interval_seconds")),
    }
    order = sorted(found, key=lambda name: name != PRIMARY)  # it serves until the file was read
    for name, each in found.items():
        if (each.endpoints or not each.items) and not resolver.told.problems:
            hint = "give it servers that are found, or say the addresses as default_servers"
            resolver.refuse(
                "method", f"cannot choose {shown(name)}: addresses that are written down have no name", hint
            )
    return Found(_named(order, found, always=True), toggle=At(toggle, resolver.place()))


def _named(order: list[str], found: dict[str, Found], *, always: bool = False) -> list[dict[str, Any]]:
    """The items in order, each with the name of its watcher where that matters."""
    several = always or any(len(found[name].items) > 1 for name in order if name in found)
    return [item | ({"as": name} if several else {}) for name in order if name in found for item in found[name].items]
