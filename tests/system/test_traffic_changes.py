"""Changes of longshore, HAProxy and the engine themselves under load: nothing is lost, nothing is sent twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.waiting import until
from tests.system.traffic import Copies, Stream, Traffic, WebSocket, slow

pytestmark = pytest.mark.system

LABELS = {"longshore.service": "a", "longshore.host": "a.test"}


@oldest_and_newest
def test_longshore_is_killed_and_takes_over_again(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """HAProxy serves alone meanwhile, also when a container ends; it is adopted as it is, then brought up to date."""
    b = balance(engine=engine, series=series)
    copies = Copies(engine, LABELS)
    old = [copies.start() for _ in range(2)]
    b.serves("a.test", 2)
    worker = b.worker
    with Traffic(b) as traffic:
        b.kill9()
        traffic.more(10)
        new = [copies.start() for _ in range(2)]
        old[0].stop()
        traffic.more(20)
        b.start()
        b.until_up("a", 3)
        traffic.more(20)
        assert b.serves("a.test", 3) == {each.short for each in (old[1], *new)}
    assert traffic.lost == {}
    copies.check(traffic)
    assert b.worker == worker
    assert b.reloads == 0


@oldest_and_newest
def test_reloads_for_an_operator_a_new_profile_and_a_new_address(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    b = balance(engine=engine, series=series)
    copies = Copies(engine, LABELS)
    for _ in range(2):
        copies.start()
    b.serves("a.test", 2)
    workers = {b.worker}
    with Traffic(b) as traffic:
        for _ in range(2):
            done = b.command("reload")
            assert done.returncode == 0, done.stderr
            workers.add(b.worker)
            traffic.more(15)
        profile = {"longshore.host": "b.test", "longshore.balance": "leastconn", "longshore.timeout": "77s"}
        engine.run(labels=profile)
        b.serves("b.test", 1)
        b.until(lambda status: status["haproxy"]["reloads"] == 3, "the new profile has cost one reload")
        traffic.more(15)
        port = ports.free()
        engine.run(labels={"longshore.listen": f"127.0.0.1:{port}"})
        b.serves("c.test", 1, port=port)
        traffic.more(15)
    assert traffic.lost == {}
    copies.check(traffic)
    assert len(workers) == 3
    b.until(lambda status: status["haproxy"]["reloads"] == 4, "the new address has cost one reload")


@oldest_and_newest
def test_websockets_and_long_answers_survive_every_change(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    b = balance(engine=engine, series=series, config={"haproxy": {"hard-stop-after": "120s"}})
    copies = Copies(engine, LABELS)
    stays = copies.start()
    b.serves("a.test", 1)
    websocket, streams = WebSocket(b), list[Stream]()

    def change(deed: Callable[[], object]) -> None:
        streams.append(Stream(b, 25))
        deed()
        assert websocket.echo(f"after {deed.__name__}") == f"after {deed.__name__}"

    def scaled_up() -> None:
        copies.start()
        b.serves("a.test", 2)

    def scaled_down() -> None:
        streams.append(Stream(b, 15))  # one of the two is on the copy that is stopped
        streams.append(Stream(b, 15))
        next(each for each in engine.containers() if each.id != stays.id).stop()
        assert b.serves("a.test", 1) == {stays.short}

    def reloaded() -> None:
        assert b.command("reload").returncode == 0

    def taken_over() -> None:
        b.kill9()
        b.start()

    try:
        for deed in (scaled_up, reloaded, scaled_down, taken_over, reloaded):
            change(deed)
        for stream in streams:
            stream.rest()
        assert websocket.echo("at last") == "at last"
    finally:
        websocket.close()


def test_an_engine_with_live_restore_is_restarted(
    new_engine: Callable[..., Engine], balance: Callable[..., Balancer]
) -> None:
    """The containers live on, and so does their traffic; afterwards the engine is followed again."""
    engine = new_engine(live_restore=True)
    balancers = [balance(engine=engine, series=series) for series in ("2.6", "3.4")]
    copies = Copies(engine, LABELS)
    for _ in range(2):
        copies.start()
    for b in balancers:
        b.serves("a.test", 2)
    with Traffic(*balancers, rate=15) as traffic:
        engine.stop()
        for b in balancers:
            b.until(lambda status: status["sources"][0]["state"] == "stale", "the source is stale")
        traffic.more(15)
        engine.start()
        for b in balancers:
            b.until(lambda status: status["sources"][0]["state"] == "current", "the source is current", deadline=90)
        copies.start()
        for b in balancers:
            b.serves("a.test", 3)
    assert traffic.lost == {}
    copies.check(traffic)
    assert [b.reloads for b in balancers] == [0, 0]


@oldest_and_newest
def test_sigterm_lets_running_requests_finish(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    b = balance(engine=engine, series=series)
    Copies(engine, LABELS).start()
    b.serves("a.test", 1)
    streams = [Stream(b, 15) for _ in range(3)]
    with slow(b, "a", 4, host="a.test", seconds=1.5, more=len(streams)) as asked:
        assert b.terminate() == 0
        assert {future.result().status for future in asked.values()} == {200}
    for stream in streams:
        stream.rest()
    with pytest.raises(ConnectionRefusedError):
        b.request("a.test")
    until(lambda: not (b.state / "haproxy" / "haproxy.sock").exists(), what="HAProxy has ended")
