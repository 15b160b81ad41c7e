"""Containers that are stopped under load, politely or not: who loses what is counted request by request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.waiting import until
from tests.system.traffic import Copies, Stream, Traffic, in_flight, slow, twice

pytestmark = pytest.mark.system

FAST, SLOW = "a.test", "slow.test"
LABELS = {"longshore.web.host": FAST, "longshore.slow.host": SLOW}
COUNT = 6  # slow GETs, and as many slow POSTs


def started(engine: Engine, balance: Callable[..., Balancer], series: str) -> tuple[Balancer, Copies, Container]:
    """A balancer with two services, web and slow, that the same containers serve; the one that stays."""
    copies = Copies(engine, LABELS)
    stays = copies.start()
    b = balance(engine=engine, series=series)
    b.until_up("web", 1)
    return b, copies, stays


def until_left(b: Balancer, count: int) -> None:
    """Wait until exactly `count` endpoints get traffic, of both services."""
    for service in ("web", "slow"):
        b.until_up(service, count)


@oldest_and_newest
def test_docker_stop_loses_nothing_whatever_the_application_does(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """One closes at once, one serves on for 3 s, one ignores SIGTERM until it is killed; all have work to finish."""
    b, copies, stays = started(engine, balance, series)
    leave = [copies.start(CLOSE="now"), copies.start(DRAIN=3), copies.start(IGNORE=1)]
    until_left(b, 4)
    with Traffic(b) as traffic, slow(b, "slow", COUNT, seconds=1.5) as asked, ThreadPoolExecutor() as pool:
        stopped = [pool.submit(each.stop, 4) for each in leave]
        until_left(b, 1)
        until(lambda: in_flight(b, "web") + in_flight(b, "slow") <= 1, what="what ran has ended")
        ignorant = leave[2]
        before = int(ignorant.get("/count"))
        traffic.more(10)
        assert int(ignorant.get("/count")) == before + 1, "it got requests after its stop signal"
        for each in stopped:
            each.result()
        traffic.more(10)
    assert traffic.lost == {}
    answers = [future.result() for future in asked.values()]
    assert {answer.status for answer in answers} == {200}
    assert {answer.who for answer in answers} == {each.short for each in (stays, *leave)}
    copies.check(traffic)
    assert twice(copies.posts()) == []
    assert b.reloads == 0


@pytest.mark.parametrize(("series", "deed"), [("2.6", "kill"), ("3.4", "kill"), ("2.6", "rm"), ("3.4", "exit at once")])
def test_a_container_that_dies_loses_only_posts_that_it_was_working_on(
    engine: Engine, balance: Callable[..., Balancer], series: str, deed: str
) -> None:
    """SIGKILL, `docker rm -f`, and an application that drops everything at SIGTERM. No POST comes twice."""
    b, copies, _ = started(engine, balance, series)
    victim, _ = copies.start(CLOSE="hard"), copies.start()
    until_left(b, 3)
    with Traffic(b) as traffic, slow(b, "slow", COUNT) as asked:
        working_on = {post for post in victim.get("/seen").split() if post in asked}
        assert working_on, "no slow POST is at the victim"
        match deed:
            case "kill":
                victim.kill()
            case "rm":
                copies.rm(victim)
            case _:
                victim.stop()
        until_left(b, 2)
        traffic.more(20)
    answers = {name: future.result().status for name, future in asked.items()}
    assert {name for name, status in answers.items() if status != 200} == working_on
    assert {answers[post] for post in working_on} == {502}
    assert traffic.failures("GET") == []
    assert {each.kind for each in traffic.failures("POST")} <= {"http_502", "noanswer"}, traffic.lost
    copies.check(traffic)
    posts = copies.posts()
    assert twice(posts) == []
    elsewhere = {post for container, seen in posts.items() if container != victim for post in seen}
    assert not elsewhere & {each.id for each in traffic.failures("POST")}
    assert b.reloads == 0


def test_an_endpoint_that_an_operator_drains_finishes_its_requests(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    b, copies, stays = started(engine, balance, "3.4")
    leaves = copies.start()
    until_left(b, 2)
    with Traffic(b) as traffic, slow(b, "slow", COUNT, seconds=1.5) as asked:
        streams = [Stream(b, 15) for _ in range(4)]
        for service in ("web", "slow"):
            done = b.command("drain", f"{service}/{leaves.inspect()['Name'][1:]}")
            assert done.returncode == 0, done.stderr
        until_left(b, 1)
        traffic.more(5)
        for stream in streams:
            stream.rest()
        answers = [future.result() for future in asked.values()]
        before = int(leaves.get("/count"))
        traffic.more(20)
        assert int(leaves.get("/count")) == before + 1, "it got requests after it was drained"
    assert traffic.lost == {}
    assert {answer.status for answer in answers} == {200}
    assert {answer.who for answer in answers} == {stays.short, leaves.short}
    copies.check(traffic)
    assert b.reloads == 0
