"""`longshore up` as a process: how it starts, what signals do, how it ends, and what the commands say of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.lab.balancer import Balancer
from tests.lab.waiting import until

pytestmark = pytest.mark.system


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@pytest.fixture
def web() -> Iterator[int]:
    """The port of a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def services(port: int) -> dict[str, Any]:
    return {"services": {"web": {"host": "web.test", "endpoints": [f"127.0.0.1:{port}"]}}}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_haproxy(web: int, number: signal.Signals) -> None:
    """Also by SIGINT when the shell that started it in the background had SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # children inherit that
    try:
        balancer = Balancer(config=services(web))
        with balancer:
            balancer.until_up("web", 1)
            assert balancer.request("web.test").status == 200
            worker = balancer.worker
            assert balancer._end(number) == 0
            until(lambda: not alive(worker), 30, "HAProxy has ended")
            assert not (balancer.state / "longshore.sock").exists()
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_leaves_haproxy_running_and_takes_it_over_again(web: int) -> None:
    with Balancer(config=services(web), options=("--leave-running",)) as balancer:
        balancer.until_up("web", 1)
        worker = balancer.worker
        assert balancer.terminate() == 0
        assert balancer.request("web.test").status == 200
        balancer.start()
        balancer.until_up("web", 1)
        assert (balancer.worker, balancer.reloads) == (worker, 0)


def test_it_ends_while_it_still_starts(web: int) -> None:
    """A source that does not answer keeps a start waiting; a signal ends it all the same, with what was started."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        balancer = Balancer(config=services(web) | {"sources": {"docker": {"host": f"tcp://127.0.0.1:{port}"}}})
        try:
            balancer.start(ready=False)
            until(lambda: (balancer.state / "longshore.sock").exists(), 30, "it answers")
            assert balancer.status()["ready"] is False
            assert balancer.terminate() == 0
        finally:
            balancer.close()


def test_sighup_reads_the_configuration_again(web: int) -> None:
    with Balancer(config=services(web)) as balancer:
        balancer.until_up("web", 1)
        worker = balancer.worker
        balancer.configure(
            {"services": {**services(web)["services"], "new": {"host": "new.test", "endpoints": [f"127.0.0.1:{web}"]}}}
        )
        balancer.send(signal.SIGHUP)
        balancer.until_up("new", 1)
        assert balancer.request("new.test").status == 200
        assert balancer.worker == worker, "a service more needs no reload"

        good = balancer.config.read_text()
        balancer.config.write_text("frontends: [")
        balancer.send(signal.SIGHUP)
        status = balancer.until(lambda status: status["problems"], "the broken file is a problem")
        assert str(balancer.config) in json.dumps(status["problems"])
        assert balancer.request("web.test").status == 200

        balancer.config.write_text(good)
        balancer.send(signal.SIGHUP)
        balancer.until(lambda status: not status["problems"], "the problem is gone")


def test_a_busy_admin_address_is_a_problem_and_no_more(web: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with Balancer(config=services(web) | {"admin": {"bind": bind}}) as balancer:
            balancer.until_up("web", 1)
            status = balancer.command("status")
            assert f"admin address {bind}: cannot listen: Address already in use" in status.stdout
            assert balancer.request("web.test").status == 200


def test_the_commands_and_the_real_agent_understand_each_other(web: int) -> None:
    with Balancer(config=services(web)) as balancer:
        done = balancer.command("wait", "web", "--timeout", "30s")
        assert (done.returncode, done.stdout) == (0, "web: 1 endpoint up\n")
        endpoint = f"web/127.0.0.1:{web}"

        done = balancer.command("status", "web")
        assert (done.returncode, done.stderr) == (0, "")
        assert "web  1 of 1 up  roundrobin  web.test/" in done.stdout

        done = balancer.command("explain", "http://web.test/x")
        assert done.returncode == 0
        assert f"endpoint 127.0.0.1:{web} of service" in done.stdout
        assert balancer.command("explain", "http://other.test/").returncode == 1

        assert balancer.command("drain", endpoint).returncode == 0
        assert balancer.service("web")["endpoints"][0]["state"] == "drain"
        assert balancer.request("web.test").status == 503
        assert balancer.command("ready", endpoint).returncode == 0
        until(lambda: balancer.request("web.test").status == 200, 30, "it is back in rotation")

        assert balancer.command("weight", endpoint, "7").returncode == 0
        assert balancer.service("web")["endpoints"][0]["weight"] == 7
        assert balancer.command("weight", endpoint, "default").returncode == 0
        assert balancer.service("web")["endpoints"][0]["weight"] == 100

        assert balancer.command("reload", "--reason", "tried out").returncode == 0
        haproxy = balancer.status()["haproxy"]
        assert (haproxy["reloads"], haproxy["last_reload_reason"]) == (1, "tried out")
        assert balancer.request("web.test").status == 200

        done = balancer.command("mend")
        assert (done.returncode, done.stdout) == (0, "HAProxy runs exactly what it should\n")
        assert "tried out" in balancer.command("events").stdout
        assert balancer.command("drain", "nothing").returncode == 1


def test_a_busy_port_is_said_with_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        balancer = Balancer(config={"frontends": {"http": f"127.0.0.1:{port}"}})
        try:
            balancer.start(ready=False)
            until(lambda: str(port) in balancer.log_text(), 30, "it names the port")
            assert f"pid {os.getpid()}" in balancer.log_text() or str(os.getpid()) in balancer.log_text()
            assert "Traceback" not in balancer.log_text()
        finally:
            balancer.close()
