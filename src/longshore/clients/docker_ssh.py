"""A tunnel to the socket of an engine on another machine: a child `ssh -nNT -L local.sock:/var/run/docker.sock host`.

Keys, agents, jump hosts and known hosts are ssh's own affair (~/.ssh/config). Nobody is there to type a password, so
BatchMode makes ssh fail instead of asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from longshore.clients.docker_faults import DockerError
from longshore.clients.faults import first_line

PATIENCE = 20.0
"""Seconds until the tunnel must be open."""

OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ExitOnForwardFailure=yes",
    "ServerAliveInterval=5",  # a host that vanished is noticed after 15 s
    "ServerAliveCountMax=3",
    "ControlMaster=no",
    "ControlPath=none",  # a shared connection would outlive us, or end with somebody else
    "StreamLocalBindMask=0177",
)


@contextlib.asynccontextmanager
async def tunnel(host: str, user: str, name: str, port: int, path: str, ssh: str) -> AsyncIterator[Path]:
    """Open a tunnel to the unix socket `path` on machine `name`; give the local socket. Ends the child at exit.

    `host` is the address as written, for faults. Raises DockerError with what ssh said.
    """
    with tempfile.TemporaryDirectory(prefix="longshore-ssh-") as folder:
        local = Path(folder) / "docker.sock"
        with (Path(folder) / "said").open("w+b") as said:
            try:
                child = await asyncio.create_subprocess_exec(
                    *command(ssh, user, name, port, f"{local}:{path}"),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=said,
                )
            except OSError as error:
                raise DockerError(f"cannot start {ssh}: {error.strerror}", "install the OpenSSH client") from error
            try:
                await _opened(child, local, host, Path(folder) / "said")
                yield local
            finally:
                await _end(child)


def command(ssh: str, user: str, name: str, port: int, forward: str) -> list[str]:
    """Give the command line. `name` comes after `--`, so that it is never read as an option.

    `forward` is LOCAL:REMOTE, or "" for none.
    """
    words = [ssh, "-nNT"]
    for option in OPTIONS:
        words += ["-o", option]
    if forward:
        words += ["-L", forward]
    if port:
        words += ["-p", str(port)]
    if user:
        words += ["-l", user]
    return [*words, "--", name]


async def real_name(ssh: str, user: str, name: str, port: int) -> str:
    """Give the name or address that ssh would connect to for `name` (ssh -G); `name` itself if it does not say."""
    words = command(ssh, user, name, port, "")
    words[1:2] = ["-G"]
    try:
        child = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return name
    said, _ = await child.communicate()
    for line in said.decode(errors="replace").splitlines():
        keyword, _, value = line.partition(" ")
        if keyword == "hostname" and value:
            return value
    return name


async def _opened(child: asyncio.subprocess.Process, local: Path, host: str, said: Path) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not _is_open(local):
                if child.returncode is not None:
                    raise _failed(host, said)
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise DockerError(f"ssh opens no tunnel to {host} within {PATIENCE:.0f} s", _by_hand(host)) from error


def _is_open(local: Path) -> bool:
    """Say whether ssh listens: between its bind and its listen the socket is there, but refuses."""
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(str(local)) == 0


def _failed(host: str, said: Path) -> DockerError:
    lines = [line for line in said.read_text(errors="replace").splitlines() if line.strip()]
    reason = first_line(lines[-1]) if lines else "it said nothing"
    return DockerError(f"ssh cannot reach {host}: {reason}", _by_hand(host))


def _by_hand(host: str) -> str:
    target = host.removeprefix("ssh://").partition("/")[0]
    return f"try by hand, as the same user: ssh -o BatchMode=yes ssh://{target} true"


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    try:
        async with asyncio.timeout(3):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
