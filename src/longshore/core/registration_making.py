"""Making registrations of a container: its address, its check, its state, whatever says which services it has.

`registration_of` reads longshore's labels, `registration_registrator` registrator's metadata, and
`registration_docker_register` nothing but the published port.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from longshore.core import labels, places, spec
from longshore.core.address import reach
from longshore.core.containers import Container
from longshore.core.drafts import state_of
from longshore.core.entries import Entry
from longshore.core.go_template import is_template, template
from longshore.core.grouping import group_of, tidy
from longshore.core.model import EndpointState, Problem
from longshore.core.places import Spot
from longshore.core.register_check import RegisterCheck
from longshore.core.registration import LocalCheck, Options, Registration
from longshore.core.registration_address import HostUnknownError, Outside, loopback, mapping_of, outside, routed
from longshore.core.registrator import tags_in
from longshore.core.signals import does_nothing
from longshore.core.spec import Spec
from longshore.core.values import RefusedError, shown, words

LIVE = ("running", "paused", "restarting")
LOCAL = frozenset(
    {"enable", "service", "port", "network", "address", "weight", "zone"}
    | {"register", "register-address", "register-check", "deregister-delay"}
)
"""Keys that are about this host, or have a place of their own in an entry."""
HERE = ("enable", "register", "register-address", "register-check", "deregister-delay")
"""Keys that count whosever metadata is read."""
_ONE_OFF = "com.docker.compose.oneoff"


@dataclass(frozen=True, slots=True)
class Contribution:
    """All that comes from one container. `undelayed`: its end cannot be put off, which only the configuration asks.

    `unpublished`: it is left out since it publishes no port.
    """

    registrations: tuple[Registration, ...] = ()
    problems: tuple[Problem, ...] = ()
    undelayed: bool = False
    unpublished: bool = False


def takes_part(container: Container, options: Options) -> bool:
    """Whether a container can be registered: it runs, is no one-off (`docker compose run`) and not longshore itself."""
    own = container.id == options.here.container
    return not own and container.status in LIVE and container.labels.get(_ONE_OFF) != "True"


@dataclass(slots=True)
class Making:
    """One container, and what is made of it so far."""

    container: Container
    through: Container
    options: Options
    where: str
    problems: list[Problem]
    made: list[Registration] = field(default_factory=list)
    undelayed: bool = False

    def done(self) -> Contribution:
        """Give all of it."""
        return Contribution(tuple(self.made), tuple(self.problems), self.undelayed)

    @property
    def group(self) -> str:
        """The service's name by the container's surroundings."""
        return group_of(self.container, self.options.group_by).name

    @property
    def side(self) -> Container:
        """The container as the network sees it."""
        return self.container if self.through is self.container else replace(self.through, labels=self.container.labels)

    def add(
        self, service: str, said: Spec, pairs: Mapping[str, str], protocol: str, port: int = 0, *, prefix: str = ""
    ) -> None:
        """Register one port as a service; what is missing becomes a problem. `prefix` is that of its labels."""
        try:
            port = port or said.port or self._only_port(said, prefix)
            found = outside(self.side, port, protocol, self._spot(said, port), self.options)
            check = self._check(said, port, protocol, found)
            self.made.append(self._registration(service, said, pairs, protocol, port, found, check))
        except HostUnknownError:
            return
        except RefusedError as refusal:
            if not (self.container.status == "restarting" or self.container.stopping):  # between two starts
                self.problems.append(Problem(self.where, str(refusal), refusal.hint, service))

    def add_all(self) -> None:
        """Register every port of a container without labels that other hosts can reach."""
        ports = list(self._reachable())
        for port, protocol in ports:
            udp = {"enable": "false"} if protocol == "udp" else {}  # HAProxy cannot balance it
            name = self.group if len(ports) == 1 else tidy(f"{self.group}-{port}{'' if protocol == 'tcp' else '-udp'}")
            self.add(name, Spec(), udp, protocol, port)

    def _reachable(self) -> Iterator[tuple[int, str]]:
        side = self.side
        every = bool(routed(side, self.options.networks)) or side.network_mode == "host"
        ports = set(side.exposed if every else ()) | {(one.port, one.protocol) for one in side.published}
        for port, protocol in sorted(ports):
            if protocol in ("tcp", "udp"):
                try:
                    outside(side, port, protocol, None, self.options)
                except RefusedError:  # nobody asked for this one by a label
                    continue
                except HostUnknownError:
                    pass
                yield port, protocol

    def _only_port(self, said: Spec, prefix: str) -> int:
        spot = self._spot(said)
        if spot is not None and spot.port:
            return spot.port
        for side in (self.container, self.through):
            published = sorted({one.port for one in side.published if one.protocol == "tcp"})
            exposed = sorted({port for port, protocol in side.exposed if protocol == "tcp"} | set(published))
            for ports in (published, exposed):
                if len(ports) == 1:
                    return ports[0]
            if exposed:
                listed = words([str(port) for port in exposed[:10]]) + (" …" if len(exposed) > 10 else "")
                raise RefusedError(f"has several TCP ports: {listed}", f"say which: {prefix}port={exposed[0]}")
        raise RefusedError(
            "says no port: its image exposes no TCP port and none is published",
            f"say the container's port: {prefix}port=8000",
        )

    def said_here(self) -> Spec | None:
        """Read those of our labels that are about this host; None if they leave the container out, or are wrong."""
        said = labels.split(self.container.labels, self.where)
        pairs = {key: value for key, value in said.services.get("", {}).items() if key in HERE}
        found, faults = spec.check(pairs)
        self.problems += [spec.problem_of(fault, self.where, f"label {labels.PREFIX}") for fault in faults]
        return found if found and found.enable and found.register is not False and not said.off else None

    def at_host(self, said: Spec, port: int, protocol: str) -> Spec:
        """The same with this host's address, if that was said, also for a port published on another one of its own."""
        mapping = mapping_of(self.side, port, protocol)
        if not self.options.fixed or said.register_address or mapping is None or loopback(mapping.host_ip):
            return said
        return said if routed(self.side, self.options.networks) else replace(said, register_address=Spot("host"))

    def _spot(self, said: Spec, port: int = 0) -> Spot | None:
        """What is said of the address. `address` is for balancers here: only an IP in it can be of use elsewhere."""
        if said.register_address is not None:
            return said.register_address
        if told := self.container.labels.get(self.options.address_label):
            address = places.ip(told.rpartition("/")[0] or told)
            if address is None:
                what = f"label {self.options.address_label} says no IP address: {shown(told)}"
                raise RefusedError(what, "it is register.address-label")
            return Spot("fixed", address, port if self.options.networks else 0)
        if said.address is None or said.address.kind != "fixed":
            return None
        return None if loopback(said.address.address) else said.address

    def tags(self) -> tuple[str, ...]:
        """The words that the configuration gives every entry, with what its templates make of this container."""
        found = []
        for each in self.options.tags:
            made = tags_in(template(each).of(self.container)) if is_template(each) else [each]
            found += [tag for tag in made if tag not in found]
        return tuple(found)

    def _check(self, said: Spec, port: int, protocol: str, found: Outside) -> LocalCheck:
        container, options = self.container, self.options
        kind = said.register_check or _default_check(container, said, protocol)
        if kind.kind == "docker" and not container.health and container.status == "running":
            raise RefusedError("register-check is docker, and the container has no HEALTHCHECK", "choose another check")
        address, local, proxied = self._inside(said, port, protocol, found)
        return LocalCheck(
            kind,
            address,
            local,
            said.check_host or "",
            said.check_status or "200-399",
            said.check_expect or "",
            said.server_tls or "",
            proxied,
            container.id,
            container.health if kind.kind == "docker" else "",
            options.interval if said.check_interval is None else said.check_interval,
            options.timeout if said.check_timeout is None else said.check_timeout,
            options.rise if said.check_rise is None else said.check_rise,
            options.fall if said.check_fall is None else said.check_fall,
            method=said.check_method or "GET",
        )

    def _inside(self, said: Spec, port: int, protocol: str, found: Outside) -> tuple[str, int, bool]:
        """Where this host reaches the port: as a balancer here would, else as others do."""
        if said.address is not None and said.address.kind == "fixed":
            return found.host, found.port, False
        try:
            reached = reach(self.side, port, None, "", self.options.here)
        except RefusedError:
            return found.host, found.port, mapping_of(self.side, port, protocol) is not None
        return reached.address, reached.port, reached.proxied

    def _registration(
        self,
        service: str,
        said: Spec,
        pairs: Mapping[str, str],
        protocol: str,
        port: int,
        found: Outside,
        check: LocalCheck,
    ) -> Registration:
        container, options = self.container, self.options
        more = {"longshore.enable": "false", "protocol": "udp"} if protocol == "udp" else {}
        ours = {f"{labels.PREFIX}{key}": value for key, value in pairs.items() if key not in LOCAL}
        entry = Entry(
            service=service,
            id=f"{container.id[:12]}:{port}" + ("" if protocol == "tcp" else f":{protocol}"),
            host=found.host,
            port=found.port,
            name=tidy(container.name) or container.id[:12],
            weight=said.weight,
            labels=tuple(sorted((ours | more).items())),
            tags=self.tags(),
            zone=said.zone or options.zone,
            owner=options.owner,
            since=container.started,
            machine=options.name,
        )
        state, why = self._state(check)
        delay = options.delay if said.deregister_delay is None else said.deregister_delay
        if delay and not does_nothing(container.stop_signal):
            self._undelayed(said.deregister_delay is not None, service)
            delay = 0.0
        return Registration(
            entry,
            check,
            state,
            why,
            found.reason,
            container.since,
            container.id,
            container.stop_signal,
            container.stop_timeout,
            delay,
        )

    def _state(self, check: LocalCheck) -> tuple[EndpointState, str]:
        container = self.container
        return state_of(container if check.by_engine else replace(container, health=""))

    def _undelayed(self, said: bool, service: str) -> None:
        if not said:
            self.undelayed = True
            return
        signal = shown(self.container.stop_signal, 40)[1:-1]
        what = f"deregister-delay cannot put off its end: its stop signal {signal} ends it at once"
        self.problems.append(Problem(self.where, what, delay_hint(), service))


def delay_hint() -> str:
    """How a container's end can be put off."""
    return "give it one that does nothing: `stop_signal: SIGURG`, and longshore sends SIGTERM when the time is over"


def _default_check(container: Container, said: Spec, protocol: str) -> RegisterCheck:
    """The HEALTHCHECK if there is one, else what balancers check."""
    if container.health:
        return RegisterCheck("docker")
    if protocol == "udp" or said.check == "none":
        return RegisterCheck("none")
    if said.check is not None and said.check.startswith("/"):
        return RegisterCheck("https" if said.server_tls else "http", said.check)
    return RegisterCheck("tcp")
