"""What one registry entry contributes: a draft for each service it belongs to, or problems.

`registered` puts the drafts of all entries together. An entry belongs to the services of the operator that pick it,
else to the one it is registered as.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from longshore.core import spec, values
from longshore.core.entries import Broken, Entry, Setting
from longshore.core.grouping import tidy
from longshore.core.model import Endpoint, EndpointState, Mode, Policy, Problem, Route
from longshore.core.places import ip, machine
from longshore.core.registered_labels import PREFIX, Parts, labels_said, name_of, parts_of
from longshore.core.registered_options import Options, Pick
from longshore.core.server_options import read as server_options
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
    """All that comes from one key. `hosts` are the names that its addresses were, or are to be, looked up by."""

    drafts: tuple[Draft, ...] = ()
    problems: tuple[Problem, ...] = ()
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of host names, as `asked_of` spells them: the last address, why a name does not resolve now.

    `earlier` are addresses by endpoint id from before a restart: they hold until the name is looked up.
    """

    addresses: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    earlier: Mapping[str, str] = field(default_factory=dict)


def asked_of(host: str, nameservers: tuple[str, ...]) -> str:
    """Spell what is looked up: "vm1.internal", or "vm1.internal@10.0.0.2:53,10.0.0.3:53" at these nameservers."""
    return f"{host}@{','.join(nameservers)}" if nameservers else host


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
        drafts = tuple(drafting.drafts(own, said.parts, picks))
    except RefusedError as refusal:
        problem = Problem(_where(*place), str(refusal), refusal.hint, tidy(found.service))
        return Contribution(problems=(*drafting.problems, problem), hosts=frozenset(drafting.hosts))
    return Contribution(drafts, tuple(drafting.problems), frozenset(drafting.hosts))


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
    hosts: set[str] = field(default_factory=set)  # what is looked up
    problems: list[Problem] = field(default_factory=list)

    def drafts(self, own: Spec, parts: Parts, picks: list[Pick]) -> Iterator[Draft]:
        entry = self.entry
        endpoints = {
            servers: self._endpoint(own, servers) for servers in dict.fromkeys(p.nameservers for p in picks) or [()]
        }
        for pick in picks:
            labels, keys = labels_said(entry.labels).labels, own.given - _ENDPOINT_KEYS
            if keys and (problem := unheard(entry.service, labels, own, keys, pick.name, pick.spec)):
                self.problems.append(problem)
            mode, routes, policy = parts_of(pick.spec)
            rank = (True, True, entry.since, self.key)
            endpoint = endpoints[pick.nameservers]
            theirs = endpoint and self._picked(endpoint, pick, own)
            yield Draft(self.key, pick.name, pick.spec, mode, routes, policy, theirs, entry.owner, rank)
        if not picks:
            name = self._name(own.service or entry.service)
            mode, routes, policy = parts
            rank = (False, not own.given <= _ENDPOINT_KEYS, entry.since, self.key)
            yield Draft(self.key, name, own, mode, routes, policy, endpoints[()], entry.owner, rank)

    def _picked(self, endpoint: Endpoint, pick: Pick, own: Spec) -> Endpoint:
        """The endpoint as the operator's service has it; what the entry itself says of weight and backup counts."""
        asked = server_options(self.entry.server_options)
        silent = own.weight is None and self.entry.weight is None and asked.weight is None
        weight = pick.spec.weight if silent and pick.spec.weight is not None else endpoint.weight
        backup = endpoint.backup if own.backup is not None or asked.backup else bool(pick.spec.backup)
        return replace(endpoint, port=pick.port or endpoint.port, weight=weight, backup=backup)

    def _endpoint(self, own: Spec, nameservers: tuple[str, ...]) -> Endpoint | None:
        entry, known = self.entry, self.known
        if not entry.id or len(entry.id) > LONGEST_ID or not entry.id.isprintable():
            raise RefusedError(f"{shown(entry.id)} cannot be the id of an endpoint")
        address, asked = ip(entry.host), ""
        if address is None:
            asked = asked_of(machine(entry.host), nameservers)
            self.hosts.add(asked)
            address = known.addresses.get(asked) or known.earlier.get(entry.id)
        if why := known.failures.get(asked):
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
        options = server_options(entry.server_options)
        if options.others:
            what = f"haproxy_server_options of its entries: {shown(options.others)} is passed over"
            hint = f"say it as the policy of service {tidy(entry.service)}; entries may say backup and weight"
            self.problems.append(Problem(f"source {self.options.source}", what, hint, tidy(entry.service)))
        resolved = f"{entry.host} resolved to {address}, " if asked else ""
        reason = f"{resolved}registered in {self.options.source}"
        return Endpoint(
            id=entry.id,
            name=tidy(entry.name) or tidy(entry.id) or "endpoint",
            address=address,
            port=entry.port,
            weight=self._weight(own, options.weight),
            backup=options.backup if own.backup is None else own.backup,
            state=state,
            reason=f"{reason}, {why}" if why else reason,
            since=entry.since,
            host=shown(entry.machine, 120)[1:-1],
            zone=own.zone or tidy(entry.zone),
            rank=entry.rank,
        )

    def _weight(self, own: Spec, asked: int | None) -> int:
        said = next((each for each in (own.weight, self.entry.weight, asked) if each is not None), None)
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
