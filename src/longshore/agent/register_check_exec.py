"""Run a command in a container, by its shell, as `docker exec` does: its exit code is the verdict.

The shell says its process id first. A command that takes too long is killed with all it started, so that checks do not
pile up in the container; that happens behind the verdict, which does not wait for it.
Source of protocol facts: Docker Engine API, "Exec" and "Attach to a container" (the stream's frames).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator

from longshore.agent.first_check import CheckFailed
from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError

FORBIDDEN = (401, 403, 405)
CURE = (
    "give longshore the engine's own socket, let the proxy before it allow POST on /containers and /exec, "
    "or choose another check"
)
PAUSES = (0.005, 0.02)  # seconds between questions whether a command has ended that closed its output, then:
PAUSE = 0.1
SAID = 200  # characters of what a command printed
KILL_LIMIT = 10.0

_endings: set[asyncio.Task[None]] = set()


async def run(engine: DockerClient | None, container: str, command: str) -> None:
    """Return if the command ends with 0. Raises CheckFailed. The time limit is the caller's."""
    if not container:
        raise CheckFailed("a command runs in containers only, and this is none: choose another check")
    if engine is None:
        raise CheckFailed("there is no engine that could run the command: choose another check")
    said = bytearray()
    try:
        code = await _ended(engine, container, command, said)
    except DockerError as error:
        if error.status in FORBIDDEN:
            raise CheckFailed(f"the engine lets us run no command ({error.status}): {CURE}") from None
        raise CheckFailed(f"{error.what}; {error.hint}".removesuffix("; ")) from None
    except asyncio.CancelledError:
        _kill_behind(engine, container, said)
        raise
    if code:
        _, printed = _printed(said)
        last = printed.strip().rpartition("\n")[2][:SAID]
        raise CheckFailed(f"the command ended with {code}" + (f": {last}" if last else ""))


async def _ended(engine: DockerClient, container: str, command: str, said: bytearray) -> int:
    """Run it to its end and give the exit code; `said` gets the stream as it comes."""
    identity = await _create(engine, container, f"echo $$\n{command}", output=True)
    await engine.post(f"/exec/{identity}/start", {"Detach": False, "Tty": False}, said)
    for pause in itertools.chain(PAUSES, itertools.repeat(PAUSE)):
        state = await engine.get(f"/exec/{identity}/json")
        code = state.get("ExitCode") if isinstance(state, dict) and not state.get("Running") else None
        if isinstance(code, int):
            return code
        await asyncio.sleep(pause)
    raise AssertionError("the pauses have no end")


async def _create(engine: DockerClient, container: str, script: str, *, output: bool) -> str:
    wanted = {"AttachStdout": output, "AttachStderr": output, "Cmd": ["/bin/sh", "-c", script]}
    answer = await engine.post(f"/containers/{container}/exec", wanted)
    try:
        return str(json.loads(answer)["Id"])
    except (ValueError, KeyError, TypeError):
        raise DockerError(f"what answers at {engine.host} is not a Docker Engine: it runs no commands") from None


def _kill_behind(engine: DockerClient, container: str, said: bytearray) -> None:
    """Have the command killed, if it ever began, without waiting for it."""
    process, _ = _printed(said)
    if process:
        task = asyncio.get_running_loop().create_task(_kill(engine, container, process))
        _endings.add(task)
        task.add_done_callback(_endings.discard)


async def _kill(engine: DockerClient, container: str, process: int) -> None:
    """Kill a command and what it started: the engine begins a session with each."""
    with contextlib.suppress(DockerError, TimeoutError):
        async with asyncio.timeout(KILL_LIMIT):
            identity = await _create(engine, container, f"kill -s KILL -- -{process}", output=False)
            await engine.post(f"/exec/{identity}/start", {"Detach": True, "Tty": False})


def _printed(said: bytearray) -> tuple[int, str]:
    """Give the process id of the shell (0 if it has not said it) and what the command printed, errors first of all."""
    output = {0: b"", 1: b"", 2: b""}
    for kind, part in _frames(bytes(said)):
        output[kind] += part
    text = output[1].decode("utf-8", "replace")
    first, newline, rest = text.partition("\n")
    process = int(first) if newline and first.isdecimal() else 0
    return process, (output[2] or output[0]).decode("utf-8", "replace") or (rest if process else text)


def _frames(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Take the stream apart: eight bytes (kind, three zeros, length), then so many bytes: 1 output, 2 errors."""
    place = 0
    while len(stream) - place > 8 and stream[place] <= 2 and stream[place + 1 : place + 4] == b"\0\0\0":
        end = place + 8 + int.from_bytes(stream[place + 4 : place + 8], "big")
        yield stream[place], stream[place + 8 : end]
        place = end
    if place == 0:
        yield 0, stream  # an error of the engine, in plain words
