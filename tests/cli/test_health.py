"""Whether all is well, for people and for HEALTHCHECK: by the exit code."""

from __future__ import annotations

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from longshore.agent.report import PARTLY
from longshore.cli.app import run


@contextmanager
def answering(path: Path, status: int, text: str) -> Iterator[list[str]]:
    """Answer every request at this socket so; gives what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.UnixStreamServer(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join()


def well(*arguments: object, **env: object) -> subprocess.CompletedProcess[str]:
    """Ask as HEALTHCHECK does."""
    command = [sys.executable, "-m", "longshore.cli.well", *map(str, arguments)]
    given = {**os.environ, **{key: str(value) for key, value in env.items()}}
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_balancer_is_well_when_it_is_ready(tmp_path: Path, status: int, code: int) -> None:
    with answering(tmp_path / "longshore.sock", status, "not ready yet") as asked:
        assert run(["health", "--state-dir", str(tmp_path)]) == code
        assert well(LONGSHORE_STATE_DIR=tmp_path).returncode == code
    assert asked == ["/readyz", "/readyz"]


def test_a_service_that_is_set_aside_is_for_people_not_for_a_restart(tmp_path: Path) -> None:
    """Whoever restarts what is not well would end the requests of all others, and mend nothing."""
    with answering(tmp_path / "longshore.sock", 200, f"{PARTLY}\n"):
        assert run(["health", "--state-dir", str(tmp_path)]) == 1
        assert well(LONGSHORE_STATE_DIR=tmp_path).returncode == 0


def test_a_socket_proxy_is_asked_for_its_engine(tmp_path: Path) -> None:
    with answering(tmp_path / "docker.sock", 200, "OK") as asked:
        assert run(["health", "--socket-proxy", str(tmp_path / "docker.sock")]) == 0
        assert well(tmp_path / "docker.sock").returncode == 0
    assert asked == ["/_ping", "/_ping"]


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_an_agent_is_asked_on_its_port(status: int, code: int) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert well(server.server_port).returncode == code
        server.shutdown()
        thread.join()
    assert asked == ["/readyz"]


def test_nobody_who_answers_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["health", "--state-dir", str(tmp_path)]) == 3
    assert "nothing answers" in capsys.readouterr().err
    done = well(LONGSHORE_STATE_DIR=tmp_path)
    assert (done.returncode, "nothing answers" in done.stdout) == (1, True)
