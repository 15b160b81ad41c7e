"""Registry entries in, services out. Only what a change touches is built anew; the rest stays the identical object.

A `Registered` holds what stands at each key of a registry, what each entry contributes (`registered_entry`), and the
services made of it. The result depends only on what is held, never on the order or history of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from longshore.core.model import Endpoint, EndpointState, Problem, Service
from longshore.core.places import joined
from longshore.core.registered_entry import (
    Contribution,
    Draft,
    Known,
    Value,
    contribution_of,
    standing,
)
from longshore.core.registered_options import Options, Pick
from longshore.core.spec import default_route
from longshore.core.values import shown

__all__ = ["Options", "Pick", "Registered", "Value", "build"]

MOST_PROBLEMS = 100
"""Problems that are listed; a prefix full of foreign keys must not hide everything else."""


_NOTHING = Contribution()


def build(found: Mapping[str, Value], options: Options) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
    """Make services of everything that stands in a registry, from nothing."""
    registered = Registered(options)
    registered.replace(found)
    return registered.build()


class Registered:
    """The services of one registry's entries, kept up to date change by change."""

    def __init__(self, options: Options, earlier: Iterable[Service] = ()) -> None:
        """`earlier` is what was served before a restart: its addresses hold until names are looked up."""
        self.changed: set[str] = set()  # names of services that are new objects, or gone, since somebody emptied this
        self.left: set[tuple[str, str]] = set()  # service and id of endpoints that went on purpose, since …
        self.hosts_changed = False  # whether other host names are among the entries, since somebody set this to False
        self._options = options
        self._known = Known(earlier={e.id: e.address for service in earlier for e in service.endpoints})
        self._values: dict[str, Value] = {}
        self._contributions: dict[str, Contribution] = {}
        self._hosts: dict[str, set[str]] = {}  # host name → keys of entries that say it
        self._drafts: dict[str, dict[str, Draft]] = {}  # service → key → draft
        self._claims: dict[tuple[str, int], dict[str, str]] = {}  # address and port → key → who says it is theirs
        self._troubles: dict[str, tuple[Problem, ...]] = {}  # what has problems → these
        self._services: dict[str, Service] = {}
        self._sorted = True  # whether these are in order
        self._touched: set[str] = set()  # names of services to build anew
        self._built: tuple[Service, ...] | None = None
        self._listed: tuple[Problem, ...] | None = None
        for pick in options.picks:
            self._enter(standing(pick))

    def __len__(self) -> int:
        return len(self._values)

    def put(self, key: str, value: Value) -> None:
        """Take what stands at a key."""
        if self._values.get(key) != value:
            self._values[key] = value
            self._contribute(key)

    def delete(self, key: str) -> None:
        """Forget a key."""
        if key in self._values:
            del self._values[key]
            self.left |= {
                (draft.service, draft.endpoint.id)
                for draft in self._contributions.get(key, Contribution()).drafts
                if draft.endpoint is not None and draft.endpoint.state is EndpointState.STOPPING
            }
            self._contribute(key)

    def replace(self, found: Mapping[str, Value]) -> None:
        """Hold exactly this."""
        for key in self._values.keys() - found.keys():
            self.delete(key)
        for key, value in found.items():
            self.put(key, value)

    @property
    def services(self) -> Mapping[str, Service]:
        """What the last `build` gave, by name."""
        return self._services

    @property
    def hosts(self) -> set[str]:
        """The host names among the entries, as `asked_of` spells them."""
        return set(self._hosts)

    def resolved(self, addresses: Mapping[str, str], failures: Mapping[str, str]) -> None:
        """Take what is known of host names now."""
        before, self._known = self._known, Known(dict(addresses), dict(failures), self._known.earlier)
        for host, keys in list(self._hosts.items()):
            was = before.addresses.get(host), before.failures.get(host)
            if was != (addresses.get(host), failures.get(host)):
                for key in list(keys):
                    self._contribute(key)

    def build(self) -> tuple[tuple[Service, ...], tuple[Problem, ...]]:
        """Give all services, sorted by name, and all problems."""
        if self._built is None or self._touched:
            for service in self._touched:
                self._build_service(service)
            self._touched.clear()
            if not self._sorted:
                self._services = dict(sorted(self._services.items()))
                self._sorted = True
            self._built = tuple(self._services.values())
        if self._listed is None:
            self._listed = _listed(self._options.source, self._troubles.values())
        return self._built, self._listed

    def _contribute(self, key: str) -> None:
        """Read a key anew."""
        before = self._contributions.pop(key, _NOTHING)
        for draft in before.drafts:
            self._drafts[draft.service].pop(key, None)
            self._touched.add(draft.service)
        after = _NOTHING
        if key in self._values:
            after = contribution_of(key, self._values[key], self._options, self._known)
        if after != _NOTHING:
            self._contributions[key] = after
        if before.hosts != after.hosts:
            self._move(key, before.hosts, after.hosts)
        for draft in after.drafts:
            self._enter(draft)
        self._note(key, after.problems)
        self._claim(key, before, after)

    def _enter(self, draft: Draft) -> None:
        self._drafts.setdefault(draft.service, {})[draft.key] = draft
        self._touched.add(draft.service)

    def _move(self, key: str, before: frozenset[str], after: frozenset[str]) -> None:
        self.hosts_changed = True
        for host in before - after:
            self._hosts[host].discard(key)
            if not self._hosts[host]:
                del self._hosts[host]
        for host in after - before:
            self._hosts.setdefault(host, set()).add(key)

    def _build_service(self, name: str) -> None:
        drafts = self._drafts.get(name)
        before = self._services.get(name)
        if not drafts:
            self._drafts.pop(name, None)
            self._services.pop(name, None)
            self._note(f"service {name}", ())
        else:
            service, problems = _service(name, list(drafts.values()), self._options)
            self._sorted &= before is not None
            self._services[name] = before if before is not None and before == service else service
            self._note(f"service {name}", tuple(problems))
        if self._services.get(name) is not before:
            self.changed.add(name)

    def _claim(self, key: str, before: Contribution, after: Contribution) -> None:
        """Note who says that an address is theirs; two hosts with one address are a mistake, or a lie."""
        places = [
            {(d.endpoint.address, d.endpoint.port) for d in c.drafts if d.endpoint} if c.drafts else set()
            for c in (before, after)
        ]
        for place in places[0] - places[1]:
            self._claims[place].pop(key, None)
            if not self._claims[place]:
                del self._claims[place]
        for place in places[1]:
            self._claims.setdefault(place, {})[key] = after.drafts[0].owner
        for place in places[0] | places[1]:
            claims = self._claims.get(place, {})
            owners = sorted({owner for owner in claims.values() if owner}) if len(claims) > 1 else []
            where = f"address {joined(*place)}"
            if len(owners) > 1 or where in self._troubles:
                self._note(where, (self._contested(place, owners),) if len(owners) > 1 else ())

    def _contested(self, place: tuple[str, int], owners: list[str]) -> Problem:
        listed = ", ".join(shown(owner)[1:-1] for owner in owners[:5])
        what = f"is registered by several hosts as theirs: {listed}"
        hint = "give each host its own `register.address`; a host that was renamed is gone after one TTL"
        return Problem(f"{self._options.source} {joined(*place)}", what, hint)

    def _note(self, what: str, problems: tuple[Problem, ...]) -> None:
        if self._troubles.get(what, ()) == problems:
            return
        self._listed = None
        if problems:
            self._troubles[what] = problems
        else:
            del self._troubles[what]


def _service(name: str, drafts: list[Draft], options: Options) -> tuple[Service, list[Problem]]:
    """Put the drafts of one service together. Where they differ, the newest that says anything decides."""
    source = options.source
    chosen = max(drafts, key=lambda draft: draft.rank)
    endpoints: dict[str, Draft] = {}
    places: dict[tuple[str, int], Draft] = {}
    problems: list[Problem] = []
    for draft in sorted(drafts, key=lambda draft: draft.rank, reverse=True):
        if (endpoint := draft.endpoint) is None:
            continue
        first = endpoints.get(endpoint.id) or places.get((endpoint.address, endpoint.port))
        if first is not None:
            problems += _twin(name, draft, first, source)
            continue
        endpoints[endpoint.id] = places[endpoint.address, endpoint.port] = draft
    found: list[Endpoint] = [draft.endpoint for _, draft in sorted(endpoints.items()) if draft.endpoint]
    routes = chosen.routes or (default_route(name),)
    if not chosen.routes and not chosen.rank[0] and options.layout.listens:
        routes = ()
        where = f"{source} {options.prefix}/{name}/{options.layout.listens}"
        hint = "docker-register writes it; write it by hand, like 8000"
        problems.append(Problem(where, "is not there: where should the service listen?", hint, name))
    service = Service(name, chosen.mode, routes, chosen.policy, tuple(found), (source,))
    return service, [*problems, *_differences(name, drafts, chosen, source)]


def _twin(service: str, draft: Draft, first: Draft, source: str) -> Iterator[Problem]:
    """An endpoint that is registered twice; by the same owner it is an old entry that has not run out yet."""
    if draft.owner == first.owner and draft.endpoint and first.endpoint and draft.endpoint.id == first.endpoint.id:
        return
    if draft.owner and draft.owner == first.owner:
        return
    same = "id" if draft.endpoint and first.endpoint and draft.endpoint.id == first.endpoint.id else "address"
    what = f"has the same {same} as {_key(first)}, which is newer and counts"
    yield Problem(f"{source} {_key(draft)}", what, "remove one of the two", service)


def _differences(service: str, drafts: Iterable[Draft], chosen: Draft, source: str) -> Iterator[Problem]:
    said = (chosen.mode, chosen.routes, chosen.policy)
    for draft in sorted(drafts, key=lambda draft: draft.key):
        if draft.rank[0] or not draft.rank[1] or (draft.mode, draft.routes, draft.policy) == said:
            continue
        keys = ", ".join(
            f"longshore.{key}"
            for key in sorted(draft.policy_keys | chosen.policy_keys)
            if getattr(draft.spec, key.replace("-", "_")) != getattr(chosen.spec, key.replace("-", "_"))
        )
        who = "the configuration, which decides" if chosen.rank[0] else f"{_key(chosen)}, which is newer and decides"
        what = f"says something else of service {service} than {who}: {keys}"
        yield Problem(f"{source} {_key(draft)}", what, "make them equal, or give one another service", service)


def _key(draft: Draft) -> str:
    return shown(draft.key, 160)[1:-1]


def _listed(source: str, troubles: Iterable[tuple[Problem, ...]]) -> tuple[Problem, ...]:
    problems = sorted({problem for found in troubles for problem in found}, key=_by_text)
    if len(problems) <= MOST_PROBLEMS:
        return tuple(problems)
    more = f"{len(problems) - MOST_PROBLEMS:,} more entries have problems"
    return (*problems[:MOST_PROBLEMS], Problem(f"source {source}", more, "is the prefix right, and the layout?"))


def _by_text(problem: Problem) -> tuple[str, ...]:
    return problem.where, problem.what, problem.service, problem.hint
