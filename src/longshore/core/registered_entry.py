"""What one registry entry contributes: a draft for each service it belongs to, or problems.

`registered` puts the drafts of all entries together. An entry belongs to the services of the operator that pick it,
else to the one it is registered as.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from longshore.core import spec, values
from longshore.core.conditions import Condition
from longshore.core.entries import Broken, Entry, Setting
from longshore.core.grouping import tidy
from longshore.core.layouts import Layout
from longshore.core.model import Endpoint, EndpointState, Mode, Policy, Problem, Route
from longshore.core.places import ip
from longshore.core.registered_labels import PREFIX, Parts, labels_said, name_of, parts_of
from longshore.core.spec import Spec
from longshore.core.unheard import unheard
from longshore.core.values import RefusedError, shown

LONGEST_ID = 250
_ENDPOINT_KEYS = frozenset(
    {"enable", "service", "port", "network", "address", "weight", "backup", "zone"}
    | {"register", "register-address", "register-check", "deregister-delay"}
)
Value = bytes | Entry | Broken


@dataclass(frozen=True, slots=True)
class Pick:
    """A service said in the configuration, made of entries. All that is given must match."""

    name: str
    spec: Spec
    service: str | None = None  # as the registry has it
    path: str | None = None  # they stand beneath it
    labels: tuple[Condition, ...] = ()
    tag: str | None = None
    port: int | None = None  # in place of the registered one

    def takes(self, key: str, entry: Entry, labels: Mapping[str, str]) -> bool:
        """Whether an entry belongs to this service."""
        return (
            (self.service is None or self.service == entry.service)
            and (self.path is None or beneath(self.path, key))
            and all(condition.holds(labels) for condition in self.labels)
            and (self.tag is None or self.tag in entry.tags)
        )


@dataclass(frozen=True, slots=True)
class Options:
    """How one source makes services of entries."""

    source: str
    layout: Layout
    prefix: str
    find: Literal["all", "named"] = "all"
    labels: tuple[Condition, ...] = ()
    tags: tuple[str, ...] = ()
    picks: tuple[Pick, ...] = ()

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Where the adapter must look: none of these places is beneath another."""
        needed = [pick.path for pick in self.picks if pick.path]
        if self.find == "all" or any(not pick.path for pick in self.picks) or not needed:
            needed.append(self.prefix)
        found: list[str] = []
        for place in sorted(set(needed), key=len):
            if not any(beneath(other, place) for other in found):
                found.append(place)
        return tuple(sorted(found))

    @property
    def services(self) -> frozenset[str]:
        """The services that are picked by name, where nothing else is of interest; empty if everything may be."""
        named = [pick.service for pick in self.picks if pick.service]
        return frozenset(named) if self.find == "named" and len(named) == len(self.picks) else frozenset()

    def prefix_of(self, key: str) -> str:
        """The prefix that the layout reads a key beneath. A picked path is one service: its name stands above."""
        if beneath(self.prefix, key):
            return self.prefix
        above = [pick.path for pick in self.picks if pick.path and beneath(pick.path, key)]
        return max(above, key=len).rpartition("/")[0] if above else self.prefix


@dataclass(frozen=True, slots=True)
class Draft:
    """One entry's view of one service."""

    key: str
    service: str
    spec: Spec
    mode: Mode
    routes: tuple[Route, ...]  # () says nothing: the service's name becomes the host
    policy: Policy
    endpoint: Endpoint | None = None  # None: a setting, a name that has no address, a service without entries
    owner: str = ""
    rank: tuple[bool, bool, float, str] = (False, False, 0.0, "")  # operator, says something, since, key: the greatest

    @property
    def policy_keys(self) -> frozenset[str]:
        """The keys said that concern the whole service."""
        return self.spec.given - _ENDPOINT_KEYS


@dataclass(frozen=True, slots=True)
class Contribution:
    """All that comes from one key. `host` is the name that its address was, or is to be, looked up by."""

    drafts: tuple[Draft, ...] = ()
    problems: tuple[Problem, ...] = ()
    host: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of host names: the last address, why a name does not resolve now.

    `earlier` are addresses by endpoint id from before a restart: they hold until the name is looked up.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)


def beneath(path: str, key: str) -> bool:
    """Whether a key is a path or stands beneath it; a leading slash makes no difference."""
    path, key = path.strip("/") + "/", key.strip("/") + "/"
    return key.startswith(path)


def contribution_of(key: str, value: Value, options: Options, known: Known) -> Contribution:
    """Read what stands at a key."""
    place = (options.source, key)
    found = options.layout.read(options.prefix_of(key), key, value) if isinstance(value, bytes) else value
    match found:
        case None:
            return Contribution()
        case Broken():
            problem = Problem(_where(*place), found.what, found.hint or "it is passed over", found.service)
            return Contribution(problems=(problem,))
        case Setting():
            return _setting(key, found, _where(*place))
    said = labels_said(found.labels)
    labels = said.labels
    if not all(condition.holds(labels) for condition in options.labels) or not set(options.tags) <= set(found.tags):
        return Contribution()
    picks = [pick for pick in options.picks if pick.takes(key, found, labels)]
    if not picks and options.find == "named":
        return Contribution()
    drafting = _Drafting(key, found, options, known)
    own = said.own
    if own is None:
        prefix = f"label {PREFIX}"
        return Contribution(problems=tuple(spec.problem_of(fault, _where(*place), prefix) for fault in said.faults))
    if not own.enable:
        return Contribution()
    try:
        endpoint = drafting.endpoint(own)
        drafts = tuple(drafting.drafts(own, said.parts, endpoint, picks))
    except RefusedError as refusal:
        problem = Problem(_where(*place), str(refusal), refusal.hint, tidy(found.service))
        return Contribution(problems=(*drafting.problems, problem), host=drafting.host)
    return Contribution(drafts, tuple(drafting.problems), drafting.host)


def _where(source: str, key: str) -> str:
    return f"{source} {shown(key, 160)[1:-1]}"


def standing(pick: Pick) -> Draft:
    """Give the draft of a service that the operator said, as long as no entry belongs to it."""
    mode, routes, policy = parts_of(pick.spec)
    return Draft("", pick.name, pick.spec, mode, routes, policy, rank=(True, True, 0.0, ""))


def _setting(key: str, setting: Setting, where: str) -> Contribution:
    own, faults = spec.check({label.removeprefix(PREFIX): value for label, value in setting.labels})
    if own is None:
        return Contribution(problems=tuple(spec.problem_of(fault, where) for fault in faults))
    try:
        name = values.name(setting.service)
    except RefusedError:
        return Contribution()  # the entries of that service say so
    mode, routes, policy = parts_of(own)
    return Contribution((Draft(key, name, own, mode, routes, policy, rank=(False, True, 0.0, key)),))


@dataclass(slots=True)
class _Drafting:
    key: str
    entry: Entry
    options: Options
    known: Known
    ip: str | None = field(init=False)
    host: str = field(init=False)  # the name to look up, "" for an IP address
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ip = ip(self.entry.host)
        self.host = "" if self.ip else self.entry.host

    def drafts(self, own: Spec, parts: Parts, endpoint: Endpoint | None, picks: list[Pick]) -> Iterator[Draft]:
        entry = self.entry
        for pick in picks:
            labels, keys = labels_said(entry.labels).labels, own.given - _ENDPOINT_KEYS
            if keys and (problem := unheard(entry.service, labels, own, keys, pick.name, pick.spec)):
                self.problems.append(problem)
            mode, routes, policy = parts_of(pick.spec)
            rank = (True, True, entry.since, self.key)
            theirs = endpoint and self._picked(endpoint, pick, own)
            yield Draft(self.key, pick.name, pick.spec, mode, routes, policy, theirs, entry.owner, rank)
        if not picks:
            name = self._name(own.service or entry.service)
            mode, routes, policy = parts
            rank = (False, not own.given <= _ENDPOINT_KEYS, entry.since, self.key)
            yield Draft(self.key, name, own, mode, routes, policy, endpoint, entry.owner, rank)

    def _picked(self, endpoint: Endpoint, pick: Pick, own: Spec) -> Endpoint:
        """The endpoint as the operator's service has it; what the entry itself says of weight and backup counts."""
        silent = own.weight is None and self.entry.weight is None
        weight = pick.spec.weight if silent and pick.spec.weight is not None else endpoint.weight
        backup = endpoint.backup if own.backup is not None else bool(pick.spec.backup)
        return replace(endpoint, port=pick.port or endpoint.port, weight=weight, backup=backup)

    def endpoint(self, own: Spec) -> Endpoint | None:
        entry, known = self.entry, self.known
        if not entry.id or len(entry.id) > LONGEST_ID or not entry.id.isprintable():
            raise RefusedError(f"{shown(entry.id)} cannot be the id of an endpoint")
        address = self.ip or known.addresses.get(entry.host) or known.earlier.get(entry.id)
        if why := known.failures.get(entry.host):
            hint = f"the last address {address} stays in use" if address else "it gets no traffic until it does"
            self.problems.append(
                Problem(
                    _where(self.options.source, self.key),
                    f"{entry.host} does not resolve: {why}",
                    hint,
                    tidy(entry.service),
                )
            )
        if address is None:
            return None
        state, why = _state(entry)
        resolved = f"{entry.host} resolved to {address}, " if self.host else ""
        reason = f"{resolved}registered in {self.options.source}"
        return Endpoint(
            id=entry.id,
            name=tidy(entry.name) or tidy(entry.id) or "endpoint",
            address=address,
            port=entry.port,
            weight=self._weight(own),
            backup=bool(own.backup),
            state=state,
            reason=f"{reason}, {why}" if why else reason,
            since=entry.since,
            host=shown(entry.machine, 120)[1:-1],
            zone=own.zone or tidy(entry.zone),
        )

    def _weight(self, own: Spec) -> int:
        said = self.entry.weight if own.weight is None else own.weight
        if said is not None and said > 256:
            what = f"weight {said:,} is more than HAProxy can, 256 is used"
            self.problems.append(
                Problem(
                    _where(self.options.source, self.key), what, "use weights from 0 to 256", tidy(self.entry.service)
                )
            )
            return 256
        return 100 if said is None else said

    def _name(self, name: str) -> str:
        try:
            return name_of(name)
        except RefusedError:
            what = f"{shown(name)} cannot be the name of a service" if name else "says no service"
            hint = f"name it in `services:` with `from: {{source: {self.options.source}, …}}`"
            raise RefusedError(what, hint) from None


def _state(entry: Entry) -> tuple[EndpointState, str]:
    """What the entry says of its endpoint, and why that is not ready."""
    if entry.status == "leaving":
        return EndpointState.STOPPING, entry.why or "and its registrar withdraws it"
    if entry.status == "critical":
        return EndpointState.WAITING, entry.why or "which says it is not healthy"
    return EndpointState.READY, ""
