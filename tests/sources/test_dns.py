"""The source dns: names become services for as long as they are answered, and a while longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from longshore.clients.dns import Answer, DnsError, Note, Target
from longshore.config.dns import DnsSource
from longshore.core import spec
from longshore.core.model import Snapshot
from longshore.core.named import Pick
from longshore.sources import dns
from longshore.sources.dns import content_of, watch
from tests.lab.waiting import eventually

SERVER = "127.0.0.11:53"
MISSING = Answer("missing", server=SERVER)


def pick(service: str = "web", kind: str = "a") -> Pick:
    read, _ = spec.check({"host": f"{service}.test"})
    assert read
    return Pick(service, read, f"tasks.{service}", "srv" if kind == "srv" else "a", 0 if kind == "srv" else 8000)


def found(*addresses: str, ttl: int = 600, partial: bool = False, notes: tuple[Note, ...] = ()) -> Answer:
    return Answer("found", addresses, (), ttl, SERVER, partial, notes)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told:
    """A content without any task: the test says what is answered, and sees what is published."""

    def __init__(self, settings: DnsSource | None = None, *picks: Pick, last: Snapshot | None = None) -> None:
        self.clock = Clock()
        self.snapshots: list[Snapshot] = []
        self.content = content_of(
            "dns", settings or DnsSource(), picks or (pick(),), self.snapshots.append, last, self.clock
        )

    def answer(self, answer: Answer | DnsError, name: int = 0) -> float:
        """Answer; gives the time until the next question."""
        asked = self.content.names[name]
        wait = (
            self.content.failed(asked, answer) if isinstance(answer, DnsError) else self.content.answered(asked, answer)
        )
        self.content.published()
        return wait

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    @property
    def ids(self) -> list[str]:
        return [endpoint.id for service in self.last.services for endpoint in service.endpoints]

    @property
    def problems(self) -> list[str]:
        return [problem.what for problem in self.last.problems]


SILENCE = DnsError("tasks.web cannot be looked up: nameserver 127.0.0.11:53 does not answer within 1 s", "check it")


def test_addresses_become_endpoints() -> None:
    told = Told()
    told.answer(found("10.0.0.1", "10.0.0.2"))
    assert told.ids == ["10.0.0.1:8000", "10.0.0.2:8000"]
    assert (told.last.problems, told.last.stale) == ((), "")


def test_nothing_is_published_before_every_name_was_looked_up() -> None:
    told = Told(None, pick("web"), pick("api"))
    told.answer(found("10.0.0.1"), 0)
    assert told.snapshots == []
    told.answer(SILENCE, 1)
    assert [service.name for service in told.last.services] == ["web", "api"]


def test_the_same_answer_publishes_nothing() -> None:
    told = Told()
    told.answer(found("10.0.0.1"))
    told.clock.now += 5
    told.answer(found("10.0.0.1"))
    assert len(told.snapshots) == 1


def test_a_change_of_one_name_leaves_the_others_the_same_object() -> None:
    told = Told(None, pick("web"), pick("api"))
    told.answer(found("10.0.0.1"), 0)
    told.answer(found("10.0.1.1"), 1)
    before = told.last
    told.answer(found("10.0.0.2"), 0)
    assert told.last.services[1] is before.services[1]
    assert told.last.services[0] is not before.services[0]


@pytest.mark.parametrize(
    ("settings", "ttl", "wait"),
    [
        (DnsSource(), 0, 1.0),
        (DnsSource(), 3, 3.0),
        (DnsSource(), 600, 5.0),
        (DnsSource(refresh=60.0), 3, 60.0),
        (DnsSource(refresh=1.0), 600, 1.0),
    ],
)
def test_when_the_next_question_is_due(settings: DnsSource, ttl: int, wait: float) -> None:
    assert Told(settings).answer(found("10.0.0.1", ttl=ttl)) == wait


def test_nxdomain_keeps_the_addresses_for_a_while_and_then_they_are_gone() -> None:
    told = Told()
    told.answer(found("10.0.0.1"))
    told.clock.now = 2000.0
    told.answer(MISSING)
    assert told.ids == ["10.0.0.1:8000"]
    assert told.problems == ["tasks.web does not exist (NXDOMAIN), says 127.0.0.11:53"]
    assert "its last 1 addresses stay in use until" in told.last.problems[0].hint
    told.clock.now = 2029.9
    told.answer(MISSING)
    assert (len(told.snapshots), told.ids) == (2, ["10.0.0.1:8000"])
    told.clock.now = 2030.0
    told.answer(MISSING)
    assert told.ids == []
    assert "gets no traffic" in told.last.problems[0].hint
    assert told.last.stale == "", "NXDOMAIN is an answer"
    told.answer(found("10.0.0.2"))
    assert (told.ids, told.problems) == (["10.0.0.2:8000"], [])


def test_the_end_of_the_hold_time_is_not_missed_by_a_slow_refresh() -> None:
    told = Told(DnsSource(refresh=60.0, hold=10.0))
    told.answer(found("10.0.0.1"))
    assert told.answer(MISSING) == 10.0
    told.clock.now += 10
    assert told.answer(MISSING) == 60.0


def test_silence_keeps_the_addresses_for_ever_and_is_stale() -> None:
    told = Told()
    told.answer(found("10.0.0.1"))
    told.clock.now += 100_000
    assert told.answer(SILENCE) == 1.0
    assert told.ids == ["10.0.0.1:8000"]
    assert "does not answer within 1 s, since" in told.last.stale
    assert told.last.problems[0].hint == "its last 1 addresses stay in use; check it"
    stale = told.last
    told.clock.now += 100_000
    told.answer(SILENCE)
    assert told.last is stale, "the time said is that of the first failure"
    told.answer(found("10.0.0.1"))
    assert told.last.stale == ""


def test_one_name_that_nobody_can_tell_is_a_problem_of_its_own() -> None:
    told = Told(None, pick("web"), pick("api"))
    told.answer(SILENCE, 0)
    told.answer(found("10.0.1.1"), 1)
    assert told.last.stale == ""
    assert [problem.service for problem in told.last.problems] == ["web"]


def test_silence_does_not_shorten_the_hold_time_nor_lengthen_it() -> None:
    told = Told()
    told.answer(found("10.0.0.1"))
    told.answer(MISSING)
    told.clock.now += 100
    told.answer(SILENCE)
    assert told.ids == ["10.0.0.1:8000"]
    told.answer(MISSING)
    assert told.ids == []


def test_after_a_restart_the_last_addresses_are_served_until_somebody_answers() -> None:
    before = Told(None, pick("web"), pick("srv", "srv"))
    before.answer(found("10.0.0.1"), 0)
    targets = (
        Target("n1.test", 8001, 10, 30, ("10.0.0.3",)),
        Target("n2.test", 8002, 20, 10, ("10.0.0.4",)),
    )
    before.answer(Answer("found", (), targets, 5, SERVER), 1)
    assert before.ids == ["10.0.0.1:8000", "10.0.0.3:8001", "10.0.0.4:8002"]
    after = Told(None, pick("web"), pick("srv", "srv"), last=before.last)
    after.answer(SILENCE, 0)
    after.answer(SILENCE, 1)
    assert after.last.stale
    assert all(new is old for new, old in zip(after.last.services, before.last.services, strict=True))


def test_after_a_restart_with_another_name_nothing_of_the_old_one_is_served() -> None:
    before = Told(None, pick("web"))
    before.answer(found("10.0.0.1"))
    other = Pick("web", pick("web").spec, "tasks.other", "a", 8000)
    after = Told(None, other, last=before.last)
    after.answer(MISSING)
    assert after.ids == []


def test_srv_records_say_port_weight_and_rank() -> None:
    told = Told(None, pick("web", "srv"))
    targets = (Target("n1.test", 8001, 10, 30, ("10.0.0.3",)), Target("n2.test", 8002, 20, 0, ("10.0.0.4",)))
    told.answer(Answer("found", (), targets, 5, SERVER))
    assert [(e.name, e.weight, e.backup) for e in told.last.services[0].endpoints] == [
        ("n1.test:8001", 30, False),
        ("n2.test:8002", 1, True),
    ]


def test_a_cut_answer_takes_nobody_out_and_is_said() -> None:
    told = Told()
    told.answer(found("10.0.0.1", "10.0.0.2"))
    told.answer(found("10.0.0.2", "10.0.0.3", partial=True, notes=(Note("it cuts", "let TCP through"),)))
    assert told.ids == ["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"]
    assert (told.problems, told.last.problems[0].hint) == (["it cuts"], "let TCP through")


def test_a_nameserver_that_answers_with_parts_in_turn_is_said_with_the_cure() -> None:
    told = Told()
    for number in range(12):
        told.clock.now += 1
        told.answer(found("10.0.0.1", "10.0.0.2") if number % 2 else found("10.0.0.2", "10.0.0.3"))
    assert told.ids == ["10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000"]
    assert "answers each question for tasks.web with other addresses" in told.problems[0]
    assert "udp_answer_limit" in told.last.problems[0].hint


def test_with_resolve_haproxy_there_are_slots_and_no_endpoints() -> None:
    told = Told(DnsSource(resolve="haproxy", nameservers=(SERVER,), slots=2))
    told.answer(found("10.0.0.1", "10.0.0.2"))
    (service,) = told.last.services
    assert service.endpoints == ()
    assert service.template
    assert (service.template.slots, service.template.resolvers.nameservers) == (2, (SERVER,))
    told.answer(found("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    (service,) = told.last.services
    assert service.template
    assert service.template.slots == 10
    told.answer(SILENCE)
    assert told.last.services[0] is service


class Client:
    """Answers what the test put in; a name without an answer fails."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = {f"tasks.{name}": answer for name, answer in answers.items()}
        self.liars: tuple[Note, ...] = ()
        self.asked = 0

    async def addresses(self, name: str) -> Answer:
        self.asked += 1
        await asyncio.sleep(0)
        if name not in self.answers:
            raise DnsError(f"{name} cannot be looked up: nobody is there")
        return self.answers[name]

    async def services(self, name: str) -> Answer:
        return await self.addresses(name)

    async def find_liars(self) -> tuple[Note, ...]:
        return self.liars


@asynccontextmanager
async def watching(client: Client, *picks: Pick, settings: DnsSource | None = None) -> AsyncIterator[list[Snapshot]]:
    snapshots: list[Snapshot] = []
    task = asyncio.create_task(watch("dns", settings or DnsSource(), picks, snapshots.append, client=client))
    try:
        yield snapshots
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_names_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "LEAST_REFRESH", 0.001)
    client = Client(web=found("10.0.0.1", ttl=0))
    async with watching(client, pick("web"), pick("api")) as snapshots:
        await eventually(lambda: snapshots)
        assert [problem.service for problem in snapshots[-1].problems] == ["api"]
        client.answers["tasks.web"] = found("10.0.0.2", ttl=0)
        await eventually(lambda: [e.id for e in snapshots[-1].services[0].endpoints] == ["10.0.0.2:8000"])


async def test_a_liar_is_said() -> None:
    client = Client(web=MISSING)
    client.liars = (Note("it lies", "name another"),)
    async with watching(client, pick("web")) as snapshots:
        await eventually(lambda: snapshots and "it lies" in [problem.what for problem in snapshots[-1].problems])


async def test_a_source_that_nobody_asks_says_how() -> None:
    async with watching(Client()) as snapshots:
        await eventually(lambda: snapshots)
        assert "name: tasks.web, port: 8000" in snapshots[-1].problems[0].hint
