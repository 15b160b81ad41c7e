"""One HAProxy takes the ports of another: an update of longshore itself, and a move from whatever HAProxy was there.

The kernel divides new connections among all who listen on a port, and what waits at one that ends is lost: here it
never is. Every request is counted; connections are made anew for each, so that each meets the kernel's choice.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.remains import family
from tests.lab.waiting import until
from tests.system.hostile import start
from tests.system.two import SHARE, WEB, shared, theirs

pytestmark = pytest.mark.system

MIGRATE = Path("/proc/sys/net/ipv4/tcp_migrate_req")


def events(balancer: Balancer) -> list[str]:
    return [each["what"] for each in balancer.api("/v1/events")["events"]]


@contextlib.contextmanager
def frozen(balancer: Balancer) -> Iterator[None]:
    """Have a balancer's HAProxy accept nothing for a while, as under too much load: what comes to it waits."""
    workers = list(family(balancer.folder.name, ("haproxy",)))
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


@oldest_and_newest
def test_a_longshore_takes_the_place_of_another_one(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """Up beside it, ready, the other stopped: no request is lost, twice in a row, with the kernel as it comes."""
    assert MIGRATE.read_text().strip() == "0"
    admin = f"127.0.0.1:{ports.free()}"
    port, stats = ports.free(), ports.free()
    config = {"admin": {"bind": admin}, "haproxy": {"stats": f"127.0.0.1:{stats}"}}
    first = balance(engine=engine, series=series, port=port, config=config, options=SHARE)
    for name in ("one", "two"):
        start(engine, name, WEB)
    tcp = ports.free()
    start(engine, "db", {"longshore.service": "db", "longshore.tcp": f"127.0.0.1:{tcp}"})
    first.serves("web.test", 2)
    assert shared(first) == []
    with (
        Load(port=port, host="web.test", rate=300, keep=False, workers=2) as load,
        Load(port=port, host="web.test", rate=50, method="POST") as kept,
        Load(port=tcp, host="any.test", rate=50, keep=False) as raw,
    ):
        old = first
        for _ in range(2):
            new = balance(engine=engine, series=series, port=port, config=config, options=SHARE)
            assert new.command("wait").returncode == 0
            assert shared(new) == ["taken over", "taken over"], "the frontend's and the service's"
            assert not new.status()["problems"]
            (waits,) = new.status()["pending"]
            assert waits.startswith(f"admin address {admin}: when ")
            assert waits.endswith(f" (pid {old.pid}) has ended"), "the old one has it still"
            load.more(200)
            with frozen(old):  # it gets nothing any more: nobody waits there
                load.more(200)
            assert old.terminate() == 0
            new.until(lambda status: not status["haproxy"]["shared"], "it is alone")
            new.until(lambda status: not status["pending"], "it has the admin address as well")
            assert f":{port} is ours alone" in events(new)
            load.more(200)
            old = new
    for each in (load, kept, raw):
        assert each.report.lost == 0, each.report
    assert new.serves("web.test", 2) == {"one", "two"}


def test_what_is_not_ready_takes_nothing_over(engine: Engine, balance: Callable[..., Balancer], tmp_path: Path) -> None:
    """Its engine cannot be reached: it waits, and says so; a second HAProxy on the port would answer 404 else."""
    first = balance(engine=engine)
    start(engine, "one", WEB)
    first.serves("web.test", 1)
    second = Balancer(port=first.port, options=SHARE)
    try:
        second.configure({"sources": {"docker": {"host": f"unix://{tmp_path}/docker.sock"}}})
        with Load(port=first.port, host="web.test", rate=100, keep=False) as load:
            second.start(ready=False)
            until(lambda: (second.state / "longshore.sock").exists(), what="it is there")
            second.until(lambda status: status["haproxy"]["shared"], "it found who has the port")
            assert shared(second) == ["waiting"]
            assert not second.status()["ready"]
            assert second.command("wait", "--timeout", "1s").returncode == 1
            said = second.command("status").stdout
            assert f"shares :{first.port} with haproxy (pid " in said
            assert ": joined when everything is ready" in said
            load.more(100)
            (tmp_path / "docker.sock").symlink_to(engine.socket)
            second.until(lambda status: status["ready"], "it took over")
            assert first.terminate() == 0
            load.more(100)
        assert load.report.lost == 0, load.report
    finally:
        second.close()


def test_without_the_option_it_refuses_and_a_stranger_that_does_not_share_is_refused_with_it(
    engine: Engine, balance: Callable[..., Balancer]
) -> None:
    first = balance(engine=engine)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        busy = stranger.getsockname()[1]
        for port, options, who in ((first.port, (), "haproxy"), (busy, SHARE, "")):
            second = Balancer(engine=engine, port=port, options=options)
            if port == busy:
                second.configure({"frontends": {"http": f"127.0.0.1:{busy}"}})
            try:
                second.start(ready=False)
                assert second._process
                assert second._process.wait(60) == 1
                assert f"{port}: {who}" in second.log_text()
                assert "listens there already" in second.log_text()
            finally:
                second.close()


@oldest_and_newest
def test_a_haproxy_of_somebody_else_is_relieved(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path, series: str
) -> None:
    """What Synapse or a person left running: longshore up beside it, SIGUSR1 to the old one, nothing is lost."""
    one = start(engine, "one", WEB)
    port = ports.free()
    with (
        theirs(tmp_path, series, port, f"{one.address}:8000") as old,
        Load(port=port, host="web.test", rate=300, keep=False, workers=2) as load,
        Load(port=port, host="web.test", rate=100) as kept,
    ):
        load.more(100)
        new = balance(engine=engine, series=series, port=port, options=SHARE)
        assert shared(new) == ["taken over"]
        load.more(100)
        old.send_signal(signal.SIGUSR1)
        assert old.wait(60) == 0
        new.until(lambda status: not status["haproxy"]["shared"], "it is alone")
        load.more(100)
    assert load.report.lost == 0, load.report
    assert kept.report.lost == 0, kept.report


def test_connections_that_wait_are_lost_unless_the_kernel_moves_them(
    engine: Engine, tmp_path: Path, balance: Callable[..., Balancer]
) -> None:
    """Why all this: two HAProxys that share a port without taking over, the one that ends with a full queue."""
    one = start(engine, "one", WEB)
    lost = {}
    for setting in ("0", "1"):
        MIGRATE.write_text(setting + "\n")
        port = ports.free()
        folders = [tmp_path / setting / name for name in ("a", "b")]
        for folder in folders:
            folder.mkdir(parents=True)
        server = f"{one.address}:8000"
        try:
            with theirs(folders[0], "3.4", port, server) as old, theirs(folders[1], "3.4", port, server):
                with Load(port=port, host="web.test", rate=200, keep=False) as load:
                    load.more(50)
                    (worker,) = family(str(folders[0]), ("haproxy",)) - {old.pid}
                    os.kill(worker, signal.SIGSTOP)
                    load.more(50)
                    os.kill(worker, signal.SIGUSR1)
                    os.kill(worker, signal.SIGCONT)
                    load.more(50)
                lost[setting] = load.report.lost
        finally:
            MIGRATE.write_text("0\n")
    assert lost["0"] > 0
    assert lost["1"] == 0
