"""The tunnel over SSH, with a stand-in for the ssh program: it forwards on this machine, or fails as ssh does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.docker_ssh import command
from tests.clients.fake_engine import FakeEngine, serving

STAND_IN = """\
#!{python}
import os, socket, sys, threading
words = sys.argv[1:]
open({told!r}, "a").write(repr(words) + "\\n")
if "-G" in words:
    print("user ops"); print("hostname 192.0.2.7"); sys.exit(0)
if {fails!r}:
    sys.stderr.write("Warning: Permanently added it.\\n" + {fails!r} + "\\n"); sys.exit(255)
open({pid!r}, "w").write(str(os.getpid()))
local, remote = words[words.index("-L") + 1].split(":")
server = socket.socket(socket.AF_UNIX); server.bind(local); server.listen()
def pump(a, b):
    while data := a.recv(65536): b.sendall(data)
    b.shutdown(socket.SHUT_WR)
while True:
    near, _ = server.accept()
    far = socket.socket(socket.AF_UNIX)
    if far.connect_ex(remote):
        near.close(); continue
    threading.Thread(target=pump, args=(near, far), daemon=True).start()
    threading.Thread(target=pump, args=(far, near), daemon=True).start()
"""


def stand_in(folder: Path, fails: str = "") -> Path:
    """Write a program that takes ssh's place; the remote socket is one of this machine."""
    program = folder / "ssh"
    told, pid = str(folder / "told"), str(folder / "pid")
    program.write_text(STAND_IN.format(python=sys.executable, told=told, pid=pid, fails=fails))
    program.chmod(0o755)
    return program


async def test_an_engine_is_reached_through_ssh(tmp_path: Path) -> None:
    engine = FakeEngine()
    identity = engine.add("web")
    ssh = str(stand_in(tmp_path))
    async with serving(engine, tmp_path / "s"), DockerClient(f"ssh://ops@east:2222{tmp_path}/s", ssh=ssh) as client:
        assert await client.containers() == [identity]
        assert await client.address() == "192.0.2.7"
    told = (tmp_path / "told").read_text()
    assert "'-nNT', '-o', 'BatchMode=yes'" in told
    assert "'-p', '2222', '-l', 'ops', '--', 'east']" in told


async def test_the_child_and_its_socket_end_with_the_client(tmp_path: Path) -> None:
    ssh = str(stand_in(tmp_path))
    async with serving(FakeEngine(), tmp_path / "s"), DockerClient(f"ssh://east{tmp_path}/s", ssh=ssh):
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_ssh_says_is_told_with_a_command_to_try(tmp_path: Path) -> None:
    ssh = str(stand_in(tmp_path, fails="ops@east: Permission denied (publickey)."))
    fault = await failure(DockerClient("ssh://ops@east", ssh=ssh))
    assert fault.what == "ssh cannot reach ssh://ops@east: ops@east: Permission denied (publickey)."
    assert "ssh -o BatchMode=yes ssh://ops@east true" in fault.hint


async def test_a_far_socket_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """ssh opens the near end all the same, and hangs up when somebody uses it."""
    ssh = str(stand_in(tmp_path))
    fault = await failure(DockerClient(f"ssh://ops@east{tmp_path}/none", ssh=ssh))
    assert "must be allowed to open its socket" in fault.hint


async def test_a_missing_ssh_program_is_named(tmp_path: Path) -> None:
    fault = await failure(DockerClient("ssh://east", ssh=str(tmp_path / "none")))
    assert "cannot start" in fault.what


async def test_a_tunnel_that_breaks_is_a_fault(tmp_path: Path) -> None:
    ssh = str(stand_in(tmp_path))
    async with serving(FakeEngine(), tmp_path / "s"), DockerClient(f"ssh://east{tmp_path}/s", ssh=ssh) as client:
        os.kill(int((tmp_path / "pid").read_text()), 9)
        with pytest.raises(DockerError):
            await asyncio.wait_for(for_ever(client), 20)


def test_a_host_is_never_read_as_an_option() -> None:
    words = command("ssh", "", "-oProxyCommand=reboot", 0, "a:b")
    assert words[-2:] == ["--", "-oProxyCommand=reboot"]
    assert {"-nNT", "BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=5"} <= set(words)


async def for_ever(client: DockerClient) -> None:
    while True:
        await client.containers()


async def failure(client: DockerClient) -> DockerError:
    with pytest.raises(DockerError) as caught:
        async with client:
            pass
    return caught.value
