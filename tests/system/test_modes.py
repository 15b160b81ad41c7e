"""How HAProxy and longshore live together: attached to somebody's, left running, stopped, told anew by SIGHUP."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import PREFIX, Engine
from tests.lab.haproxy import haproxy, oldest_and_newest
from tests.lab.load import Load
from tests.lab.remains import family
from tests.lab.waiting import until
from tests.system.hostile import said_of, start
from tests.system.traffic import in_flight

pytestmark = pytest.mark.system

WEB = {"longshore.service": "web", "longshore.host": "web.test"}
THEIRS = """\
global
    stats socket {folder}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend theirs
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain string theirs
"""


class Theirs:
    """A HAProxy that somebody else runs, as systemd does, with a small configuration of their own."""

    def __init__(self, folder: Path, series: str) -> None:
        self.folder = folder
        self.binary = haproxy(series)
        self.config = folder / "haproxy.cfg"
        self.config.write_text(THEIRS.format(folder=folder, port=ports.free()))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(self.binary), "-W", "-S", f"{self.folder}/master.sock", "-f", str(self.config)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until((self.folder / "haproxy.sock").exists, what="their HAProxy runs")

    def kill(self) -> None:
        """Kill it, and its workers with it."""
        if self.process is not None:
            workers = family(self.folder.name, ("haproxy",)) - {self.process.pid}
            self.process.kill()
            self.process.wait()
            until(lambda: not workers & family(self.folder.name, ("haproxy",)), what="its workers end")
            (self.folder / "haproxy.sock").unlink(missing_ok=True)
            self.process = None

    @property
    def settings(self) -> dict[str, Any]:
        """What longshore must know of it."""
        return {
            "mode": "attached",
            "socket": str(self.folder / "haproxy.sock"),
            "master-socket": str(self.folder / "master.sock"),
            "config-file": str(self.config),
            "binary": str(self.binary),
        }


@contextmanager
def theirs(series: str) -> Iterator[Theirs]:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    made = Theirs(folder, series)
    try:
        made.start()
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


@oldest_and_newest
def test_attached_it_drives_somebodys_haproxy_and_leaves_it_running(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """Nothing is lost over scaling, a reload, longshore's end and its return; HAProxy's end and return are noticed."""
    with theirs(series) as haproxy:
        assert haproxy.process
        master = haproxy.process.pid
        balancer = balance(engine=engine, config={"haproxy": haproxy.settings})
        start(engine, "one", WEB)
        assert balancer.serves("web.test", 1) == {"one"}
        status = balancer.until(lambda status: status["haproxy"]["pid"])
        assert (status["mode"], status["haproxy"]["mode"]) == ("attached", "attached")
        reloads = balancer.reloads
        with Load(port=balancer.port, host="web.test", rate=20) as load:
            two = start(engine, "two", WEB)
            start(engine, "three", WEB)
            assert balancer.serves("web.test", 3) == {"one", "two", "three"}
            two.stop()
            assert balancer.serves("web.test", 2) == {"one", "three"}
            assert balancer.reloads == reloads, "scaling needs no reload"
            assert balancer.command("reload", "--reason", "test").returncode == 0
            worker = balancer.status()["haproxy"]["pid"]

            assert balancer.terminate() == 0
            assert haproxy.process.poll() is None
            load.more(20)
            start(engine, "four", WEB)
            balancer.start()
            assert balancer.serves("web.test", 3) == {"one", "three", "four"}
            status = balancer.status()
            assert (status["haproxy"]["pid"], status["haproxy"]["reloads"]) == (worker, 0)
            load.more(20)
        assert load.report.lost == 0, load.report
        assert family(haproxy.folder.name, ("haproxy",)) >= {master, worker}

        haproxy.kill()
        balancer.until(lambda status: said_of(status, "HAProxy"), "its end is noticed")
        haproxy.start()
        balancer.until(lambda status: not status["problems"], "it is back")
        assert balancer.serves("web.test", 3) == {"one", "three", "four"}
        assert balancer.terminate() == 0
        assert haproxy.process.poll() is None
        assert balancer.request("web.test").status == 200


def test_attached_to_a_haproxy_that_does_not_run_it_says_so() -> None:
    with theirs("3.4") as haproxy:
        haproxy.kill()
        balancer = Balancer(config={"haproxy": haproxy.settings})
        try:
            balancer.start(ready=False)
            assert balancer._process
            assert balancer._process.wait(60) == 1
            assert str(haproxy.folder / "haproxy.sock") in balancer.log_text()
            assert "start HAProxy" in balancer.log_text()
            assert "Traceback" not in balancer.log_text()
        finally:
            balancer.close()


@oldest_and_newest
def test_left_running_it_is_taken_over_with_what_happened_meanwhile(
    engine: Engine, balance: Callable[..., Balancer], series: str
) -> None:
    """`--leave-running`, containers that come and go while nobody looks, and the next longshore: nothing is lost."""
    balancer = balance(engine=engine, series=series, options=("--leave-running",))
    one = start(engine, "one", WEB)
    start(engine, "two", WEB)
    assert balancer.serves("web.test", 2) == {"one", "two"}
    worker = balancer.worker
    with Load(port=balancer.port, host="web.test", rate=20) as load:
        assert balancer.terminate() == 0
        start(engine, "three", WEB)
        one.stop()
        load.more(20)
        balancer.start()
        assert balancer.serves("web.test", 2) == {"two", "three"}
        assert sorted(each["name"] for each in balancer.service("web")["endpoints"]) == ["three", "two"]
        assert (balancer.worker, balancer.reloads) == (worker, 0)
        load.more(20)
    assert load.report.lost == 0, load.report


@oldest_and_newest
def test_sigterm_lets_running_requests_finish(engine: Engine, balance: Callable[..., Balancer], series: str) -> None:
    """New ones are refused meanwhile; nothing is left of longshore and HAProxy afterwards."""
    balancer = balance(engine=engine, series=series)
    one = start(engine, "one", WEB)
    balancer.serves("web.test", 1)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(balancer.request, "web.test", "/slow?2000")
        until(lambda: in_flight(balancer, "web") == 1, what="a request is worked on")
        assert balancer.terminate() == 0
        assert (slow.result().status, slow.result().who) == (200, "one")
    with pytest.raises(ConnectionRefusedError):
        balancer.request("web.test")
    assert not family(balancer.folder.name, ("haproxy",))
    assert not list(balancer.state.rglob("*.sock"))
    assert one.status == "running"


@oldest_and_newest
def test_sighup_takes_over_what_is_new_and_nothing_that_is_wrong(
    engine: Engine, balance: Callable[..., Balancer], tmp_path: Path, series: str
) -> None:
    """A service, a frontend, a source: each added by SIGHUP; a broken file changes nothing; no request is lost."""
    balancer = balance(engine=engine, series=series)
    one = start(engine, "one", WEB)
    address = f"{one.address}:8000"
    balancer.serves("web.test", 1)
    with Load(port=balancer.port, host="web.test", rate=20) as load:
        balancer.configure({"services": {"said": {"host": "said.test", "endpoints": [address]}}})
        balancer.send(signal.SIGHUP)
        balancer.until_up("said", 1)
        assert balancer.request("said.test").who == "one"
        assert balancer.reloads == 0, "a service needs none"

        (tmp_path / "more.yaml").write_text(
            json.dumps({"services": {"file": {"host": "file.test", "endpoints": [address]}}})
        )
        second = ports.free()
        balancer.configure(
            {"sources": {"file": {"path": str(tmp_path)}}, "frontends": {"second": f"127.0.0.1:{second}"}}
        )
        balancer.send(signal.SIGHUP)
        balancer.until_up("file", 1)
        balancer.serves("file.test", 1, port=second)
        balancer.serves("web.test", 1, port=second)
        assert balancer.status()["haproxy"]["addresses"] == [f":{balancer.port}", f"127.0.0.1:{second}"]

        with socket.create_server(("127.0.0.1", 0)) as stranger:
            third = f"127.0.0.1:{stranger.getsockname()[1]}"
            balancer.configure({"frontends": {"third": third}})
            balancer.send(signal.SIGHUP)
            status = balancer.until(lambda status: said_of(status, "frontend third"))
            assert re.search(
                rf"{third}: \S+ \(pid {os.getpid()}\) listens", said_of(status, "frontend third")[0]["what"]
            )
            start(engine, "hashed", {"longshore.host": "hashed.test", "longshore.balance": "hdr(X-User)"})
            assert balancer.serves("hashed.test", 1) == {"hashed"}, "a reload for somebody else goes on"
        balancer.until(lambda status: third in status["haproxy"]["addresses"], "it is taken when it is free")
        balancer.settings["frontends"].pop("third")
        balancer.configure({})
        balancer.send(signal.SIGHUP)
        balancer.until(lambda status: third not in status["haproxy"]["addresses"], "it is given back")

        good = balancer.config.read_text()
        balancer.config.write_text("frontends: {http: nowhere}\nsources: {docker: {expose: sometimes}}\n")
        balancer.send(signal.SIGHUP)
        status = balancer.until(lambda status: len(status["problems"]) == 2, "both mistakes are said")
        assert [each["where"] for each in status["problems"]] == [f"{balancer.config}:1:19", f"{balancer.config}:2:28"]
        assert balancer.request("file.test", port=second).who == "one"
        assert balancer.command("reload").returncode == 1

        balancer.config.write_text(good)
        balancer.settings["sources"].pop("file")
        balancer.configure({"services": None})
        balancer.send(signal.SIGHUP)
        status = balancer.until(lambda status: not status["problems"], "the configuration is fine again")
        assert [each["name"] for each in status["sources"]] == ["docker"]
        until(lambda: balancer.request("said.test").status == 503, what="a service that was there is missed")
        assert balancer.request("file.test", port=second).status == 503
        load.more(20)
    assert load.report.lost == 0, load.report
