"""`up` where it cannot start: it says what is wrong and where, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command, ServedAgent


def up(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("longshore")
    return subprocess.run([program, "up", *arguments], capture_output=True, text=True, check=False, timeout=60)


def configured(folder: Path, **more: object) -> str:
    path = folder / "longshore.yaml"
    path.write_text(json.dumps({"sources": {}, "frontends": {"http": "127.0.0.1:1"}, "admin": {"bind": ""}, **more}))
    return str(path)


def test_an_invalid_configuration(tmp_path: Path, command: Command) -> None:
    (tmp_path / "longshore.yaml").write_text("sources: 3\nforget-after: soon\n")
    ended = command("up", "--config", str(tmp_path / "longshore.yaml"))
    assert ended.code == 1
    assert ended.err.count("longshore: ") == 2, "all problems at once"
    assert "longshore.yaml:2:15" in ended.err


def test_a_missing_haproxy(tmp_path: Path, state: Path) -> None:
    ended = up("--config", configured(tmp_path, haproxy={"binary": "/nonexistent/haproxy"}))
    assert ended.returncode == 1
    assert "/nonexistent/haproxy" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (state / "longshore.sock").exists()


def test_a_state_directory_that_cannot_be(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    ended = command("up", "--config", configured(tmp_path), "--state-dir", str(tmp_path / "file" / "state"))
    assert ended.code == 1
    assert "the state directory cannot be made" in ended.err
    assert "--state-dir" in ended.err


def test_a_state_directory_whose_sockets_would_have_no_room(tmp_path: Path, command: Command) -> None:
    ended = command("up", "--config", configured(tmp_path), "--state-dir", str(tmp_path / ("x" * 100)))
    assert ended.code == 1
    assert "too long" in ended.err


def test_a_second_one_on_the_same_state(agent: ServedAgent, tmp_path: Path) -> None:
    ended = up("--config", configured(tmp_path))
    assert ended.returncode == 1
    assert "another longshore runs with the state directory" in ended.stderr


@pytest.mark.parametrize("style", ["keyvalue", "json", "human"])
def test_logs_are_one_line_each_whatever_is_in_them(style: str) -> None:
    program = (
        "import logging, structlog; from longshore.cli import logs; "
        f"logs.set_up({style!r}); "
        "structlog.get_logger().info('a\\nb', who='evil\\x1b[2J\\nforged=1'); "
        "logging.getLogger('asyncio').warning('from %s', 'a library')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert "from a library" in lines[1]
    if style == "json":
        assert json.loads(lines[0])["level"] == "info"


def test_a_log_style_that_is_none(command: Command) -> None:
    assert command("up", "--log", "xml").code == 2


def test_the_state_directory_is_found_as_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Command
) -> None:
    """--state-dir beats the environment, which beats the configuration, which beats the default."""
    path = configured(tmp_path, **{"state-dir": str(tmp_path / "configured")})
    monkeypatch.setenv("LONGSHORE_STATE_DIR", "/from/environment")
    assert "/from/option/longshore.sock" in command("events", "--state-dir", "/from/option", "--config", path).err
    assert "/from/environment/longshore.sock" in command("events", "--config", path).err
    monkeypatch.delenv("LONGSHORE_STATE_DIR")
    assert str(tmp_path / "configured" / "longshore.sock") in command("events", "--config", path).err
    monkeypatch.setenv("LONGSHORE_CONFIG", path)
    assert str(tmp_path / "configured" / "longshore.sock") in command("events").err
    monkeypatch.setenv("LONGSHORE_CONFIG", str(tmp_path / "missing.yaml"))
    ended = command("events")
    assert ended.code == 1
    assert "longshore check" in ended.err


def test_without_permission_it_says_so(monkeypatch: pytest.MonkeyPatch, state: Path, command: Command) -> None:
    def refused(self: socket.socket, address: object) -> None:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(socket.socket, "connect", refused)
    ended = command("events")
    assert ended.code == 3
    assert "no permission to open" in ended.err
    assert "sudo" in ended.err
