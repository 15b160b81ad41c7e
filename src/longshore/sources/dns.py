"""The source `dns`: names that the operator picked, looked up for ever, as services.

Each name is followed by itself (`_follow`): ask, take the answer into what is held of the name (`core.held`), publish
if anything is other than before, wait as long as the answer holds. The first snapshot is published when every name was
looked up once; it is stale while no name can be looked up at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, NoReturn, Protocol

from longshore.clients.dns import Answer, DnsClient, DnsError, Note
from longshore.clients.dns_exchange import Nameserver
from longshore.config.dns import LEAST_REFRESH, DnsSource
from longshore.config.fields import split_address
from longshore.core.held import Held, Record
from longshore.core.model import Problem, Resolvers, Service, Snapshot
from longshore.core.named import Named, Pick, is_of

MOST_REFRESH = 5.0  # seconds: Docker's DNS says 600, and knows better after one
RETRY = 1.0  # seconds until a name is asked for again that nobody knew or could tell
LIARS = 300.0  # seconds between questions for what cannot be
AT_ONCE = 32  # names that are asked for together


class Client(Protocol):
    """What is asked."""

    async def addresses(self, name: str) -> Answer: ...  # noqa: D102

    async def services(self, name: str) -> Answer: ...  # noqa: D102

    async def find_liars(self) -> tuple[Note, ...]: ...  # noqa: D102


@dataclass(slots=True)
class _Name:
    """What is known of one picked name."""

    pick: Pick
    held: Held
    asked: bool = False  # since the start
    trouble: Problem | None = None
    unknown: str = ""  # why nobody could tell, the last time
    notes: tuple[Note, ...] = ()


@dataclass(slots=True)
class Content:
    """All names of one source, as snapshots."""

    source: str
    settings: DnsSource
    publish: Callable[[Snapshot], None]
    names: tuple[_Name, ...]
    named: Named
    clock: Callable[[], float] = time.time
    liars: tuple[Note, ...] = ()
    _last: Snapshot | None = None
    _stale_since: str = ""
    _where: str = field(init=False)

    def __post_init__(self) -> None:
        self._where = f"source {self.source}"

    def answered(self, name: _Name, answer: Answer) -> float:
        """Take an answer; gives the seconds until the next question."""
        now = self.clock()
        name.asked, name.unknown, name.trouble, name.notes = True, "", None, answer.notes
        if answer.state == "found":
            name.held.found(_records(name.pick, answer), now, partial=answer.partial)
            if name.held.shuffled:
                name.notes = (*answer.notes, self._shuffles(name, answer))
            wait = min(max(float(answer.ttl), LEAST_REFRESH), MOST_REFRESH)
            return wait if self.settings.refresh is None else self.settings.refresh
        name.held.nothing(now)
        name.trouble = self._absent(name, answer)
        wait = RETRY if self.settings.refresh is None else self.settings.refresh
        ends = name.held.ends
        return wait if ends is None else min(wait, max(ends - now, RETRY))

    def failed(self, name: _Name, error: DnsError) -> float:
        """Take that nobody could tell; gives the seconds until the next question."""
        count = len(name.held.records)
        kept = f"its last {count} addresses stay in use; " if count else ""
        name.asked, name.unknown, name.notes = True, error.what, ()
        name.trouble = Problem(self._where, error.what, f"{kept}{error.hint}", name.pick.service)
        return RETRY

    def published(self) -> None:
        """Publish, if every name was asked for and anything is different."""
        if not all(name.asked for name in self.names):
            return
        services = self.named.build(
            (name.pick for name in self.names), {n.pick.service: n.held.records for n in self.names}, self.clock()
        )
        snapshot = Snapshot(self.source, services, tuple(self._problems()), self._stale())
        if snapshot != self._last:
            self._last = snapshot
            self.publish(snapshot)

    def _stale(self) -> str:
        if not self.names or not all(name.unknown for name in self.names):
            self._stale_since = ""
            return ""
        self._stale_since = self._stale_since or time.strftime("%H:%M:%S", time.localtime(self.clock()))
        return f"{self.names[0].unknown}, since {self._stale_since}"

    def _problems(self) -> Iterable[Problem]:
        if not self.names:
            hint = f"pick one: `services: {{web: {{from: {{source: {self.source}, name: tasks.web, port: 8000}}}}}}`"
            yield Problem(self._where, "no service asks for a name", hint)
        yield from (Problem(self._where, note.what, note.hint) for note in self.liars)
        for name in self.names:
            yield from (Problem(self._where, note.what, note.hint, name.pick.service) for note in name.notes)
            if name.trouble is not None:
                yield name.trouble

    def _absent(self, name: _Name, answer: Answer) -> Problem:
        what = f"has no {'SRV record' if name.pick.kind == 'srv' else 'address'}"
        if answer.state == "missing":
            what = "does not exist (NXDOMAIN)"
        hint = "it gets no traffic until it does: is anything of it running, and is the name right?"
        if (ends := name.held.ends) is not None:
            until = time.strftime("%H:%M:%S", time.localtime(ends))
            hint = f"its last {len(name.held.records)} addresses stay in use until {until}"
        return Problem(self._where, f"{name.pick.name} {what}, says {answer.server}", hint, name.pick.service)

    def _shuffles(self, name: _Name, answer: Answer) -> Note:
        what = f"nameserver {answer.server} answers each question for {name.pick.name} with other addresses of it"
        kept = f"each is kept for {self.settings.hold:g} s after it was seen last"
        return Note(f"{what}: {kept}", "let it answer with all of them (Consul: `a_record_limit`, `udp_answer_limit`)")


def content_of(
    source: str,
    settings: DnsSource,
    picks: Iterable[Pick],
    publish: Callable[[Snapshot], None],
    last: Snapshot | None = None,
    clock: Callable[[], float] = time.time,
) -> Content:
    """What is known at the start: what was served before a restart."""
    earlier = {service.name: service for service in (last.services if last else ())}
    names = tuple(_Name(pick, Held(settings.hold, _earlier(pick, earlier.get(pick.service)))) for pick in picks)
    named = Named(source, resolvers_of(settings), settings.slots)
    named.remember(earlier.values())
    return Content(source, settings, publish, names, named, clock)


def resolvers_of(settings: DnsSource) -> Resolvers | None:
    """How HAProxy looks names up, if it is to do so itself."""
    if settings.resolve != "haproxy":
        return None
    refresh = LEAST_REFRESH if settings.refresh is None else settings.refresh
    prefer: Literal["ipv4", "ipv6"] = "ipv6" if settings.family == "ipv6" else "ipv4"
    return Resolvers(settings.nameservers, prefer, refresh, settings.timeout, settings.hold)


def client_of(settings: DnsSource) -> DnsClient:
    """Who asks, with these settings."""
    servers = tuple(Nameserver(*split_address(each)) for each in settings.nameservers)
    return DnsClient(servers, settings.family, settings.timeout)


async def watch(
    source: str,
    settings: DnsSource,
    picks: tuple[Pick, ...],
    publish: Callable[[Snapshot], None],
    *,
    last: Snapshot | None = None,
    client: Client | None = None,
    clock: Callable[[], float] = time.time,
) -> NoReturn:
    """Publish what the names say, for ever. `last` is the snapshot from before a restart."""
    content = content_of(source, settings, picks, publish, last, clock)
    asking = client or client_of(settings)
    room = asyncio.Semaphore(AT_ONCE)
    await _find_liars(content, asking)  # first of all, so that no lie is ever taken for an address
    async with asyncio.TaskGroup() as group:
        group.create_task(_watch_liars(content, asking))
        for name in content.names:
            group.create_task(_follow(content, name, asking, room))
    raise AssertionError("a name is followed for ever")


async def _follow(content: Content, name: _Name, client: Client, room: asyncio.Semaphore) -> NoReturn:
    pick = name.pick
    while True:
        try:
            async with room:
                answer = await (client.services(pick.name) if pick.kind == "srv" else client.addresses(pick.name))
        except DnsError as error:
            wait = content.failed(name, error)
        else:
            wait = content.answered(name, answer)
        content.published()
        await asyncio.sleep(wait * random.uniform(0.9, 1.0))  # noqa: S311  names are not asked for in step


async def _watch_liars(content: Content, client: Client) -> NoReturn:
    while True:
        await asyncio.sleep(LIARS)
        await _find_liars(content, client)


async def _find_liars(content: Content, client: Client) -> None:
    with contextlib.suppress(DnsError):  # the names say so
        content.liars = await client.find_liars()
    content.published()


def _records(pick: Pick, answer: Answer) -> list[Record]:
    if pick.kind == "a":
        return [Record(address, pick.port) for address in answer.addresses]
    return [
        Record(address, target.port, target.host, target.priority, target.weight)
        for target in answer.targets
        for address in target.addresses
    ]


def _earlier(pick: Pick, service: Service | None) -> tuple[Record, ...]:
    """The records that an earlier life made endpoints of, as far as they are still asked for."""
    records = []
    for endpoint in service.endpoints if service else ():
        if not is_of(pick, endpoint):
            continue
        record = Record(endpoint.address, endpoint.port)
        if pick.kind == "srv":
            host = endpoint.name.rpartition(":")[0]
            record = replace(record, host=host, priority=int(endpoint.backup), weight=endpoint.weight)
        if pick.kind == "srv" or endpoint.port == pick.port:
            records.append(record)
    return tuple(records)
