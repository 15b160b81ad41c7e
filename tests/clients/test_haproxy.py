"""The runtime client: one judged reply per command, and nothing but the commands that were meant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.clients.haproxy import LINE_LIMIT, RuntimeClient, command, with_payload
from longshore.clients.haproxy_faults import BadCommandError, HAProxyError, UnreachableError
from tests.lab.waiting import eventually

INFO = "Name: HAProxy\nVersion: 3.0.11\nPid: {pid}\n\n"


class FakeSocket:
    """A runtime socket in this process: answers each line by `answer`, and keeps what it was sent."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.lines: list[str] = []
        self.pid = 100
        self.connections = 0
        self.answer: Callable[[str], str | None] = lambda line: f"[6]: did {line}\n"
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        while line := (await reader.readline()).decode().rstrip("\n"):
            known = {"prompt": "", "set severity-output number": "", "show info": INFO.format(pid=self.pid)}
            answer = known.get(line) if line in known else self.take(line)
            if answer is None:
                break
            writer.write(f"{answer}\n> ".encode())
            await writer.drain()
        writer.close()

    def take(self, line: str) -> str | None:
        self.lines.append(line)
        return self.answer(line)

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeSocket]:
    fake = FakeSocket(tmp_path / "r.sock")
    server = await asyncio.start_unix_server(fake.serve, fake.path)
    yield fake
    fake.hang_up()
    server.close()
    await server.wait_closed()


async def test_each_command_gets_its_own_reply_in_order(fake: FakeSocket) -> None:
    async with RuntimeClient(fake.path) as client:
        replies = await client.run([f"set weight b/s {n}" for n in range(500)])
    assert [r.text for r in replies] == [f"did set weight b/s {n}" for n in range(500)]
    assert fake.connections == 1


@pytest.mark.parametrize(
    ("raw", "ok", "severity", "text"),
    [
        ("", True, -1, ""),
        ("[3]: No such server.\n", False, 3, "No such server."),
        ("[3]: No such backend.", False, 3, "No such backend."),
        ("[4]: IP changed\n", True, 4, "IP changed"),
        ("[6]: New server registered.\n", True, 6, "New server registered."),
        (
            "[6]: Unknown command: 'x', but maybe one of\n  add\n",
            False,
            6,
            "Unknown command: 'x', but maybe one of\n  add",
        ),
        ("[6]: Server deleted.\n[3]: Backend is in use.\n", False, 3, "Server deleted.\nBackend is in use."),
        ("[6]: Server deleted.\nBackend deleted.\n", True, 6, "Server deleted.\nBackend deleted."),
        ("+ + + \n", True, -1, ""),
        ("+ + + [3]: entry not found.\n", False, 3, "entry not found."),
        ("0x1 a 1\n0x2 b [3]: 2\n", True, -1, "0x1 a 1\n0x2 b [3]: 2"),
    ],
)
async def test_a_reply_is_judged_by_its_last_severity(
    fake: FakeSocket, raw: str, ok: bool, severity: int, text: str
) -> None:
    fake.answer = lambda _: raw
    async with RuntimeClient(fake.path) as client:
        (reply,) = await client.run(["show map x"])
    assert (reply.ok, reply.severity, reply.text) == (ok, severity, text)


async def test_ask_raises_what_haproxy_said(fake: FakeSocket) -> None:
    fake.answer = lambda _: "[3]: No such server.\n"
    async with RuntimeClient(fake.path) as client:
        with pytest.raises(HAProxyError, match=r"'set weight a/b 1': No such server\."):
            await client.ask("set weight a/b 1")


async def test_a_connection_closed_while_idle_is_opened_again_unnoticed(fake: FakeSocket) -> None:
    async with RuntimeClient(fake.path) as client:
        await client.ask("show a")
        fake.hang_up()
        fake.pid = 101
        assert client._streams
        await eventually(client._streams[0].at_eof)
        assert await client.ask("show b") == "did show b"
        assert client.pid == 101


async def test_a_connection_that_breaks_in_the_middle_is_an_error_and_the_next_call_works(fake: FakeSocket) -> None:
    fake.answer = lambda line: None if line == "show b" else "fine\n"
    async with RuntimeClient(fake.path) as client:
        with pytest.raises(UnreachableError, match="closed the connection"):
            await client.run(["show a", "show b", "show c"])
        assert client.pid == 0
        assert await client.ask("show a") == "fine"


async def test_a_cancelled_call_never_shifts_the_replies_of_the_next(fake: FakeSocket) -> None:
    reached = asyncio.Event()

    def answer(line: str) -> str | None:
        if line == "show slow":
            reached.set()
            return "late\n"
        return f"did {line}\n"

    fake.answer = answer
    async with RuntimeClient(fake.path) as client:
        await client.ask("show warm-up")
        task = asyncio.create_task(client.run(["show slow"] * 200))
        async with asyncio.timeout(30):
            await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await client.ask("show next") == "did show next"


async def test_silence_is_an_error_in_time(tmp_path: Path) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    path = str(tmp_path / "r.sock")
    async with await asyncio.start_unix_server(mute, path), RuntimeClient(path, timeout=0.05) as client:
        with pytest.raises(UnreachableError, match="does not answer"):
            await client.ask("show info")


async def test_renew_tells_whether_the_worker_changed(fake: FakeSocket) -> None:
    async with RuntimeClient(fake.path) as client:
        assert await client.renew()
        assert not await client.renew()
        fake.pid = 7
        assert await client.renew()
        assert client.pid == 7


async def test_no_socket_and_no_listener_say_what_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"no HAProxy socket at .*is HAProxy running"):
        await RuntimeClient(str(tmp_path / "none.sock")).ask("show info")
    path = tmp_path / "dead.sock"
    server = await asyncio.start_unix_server(lambda r, w: None, str(path))
    server.close()
    await server.wait_closed()
    if path.exists():
        with pytest.raises(UnreachableError, match="nobody listens"):
            await RuntimeClient(str(path)).ask("show info")


async def test_callers_at_the_same_time_take_turns(fake: FakeSocket) -> None:
    async with RuntimeClient(fake.path) as client:
        many = await asyncio.gather(*(client.run([f"show {n}.{m}" for m in range(20)]) for n in range(20)))
    assert [[r.text for r in some] for some in many] == [[f"did show {n}.{m}" for m in range(20)] for n in range(20)]


@pytest.mark.parametrize(
    "words",
    [
        ("show info; quit",),
        ("set", "map", "m", "k", "v\nshutdown sessions"),
        ("x\r", "y"),
        ("a", ""),
        ("a", "<<"),
        ("a", "<<EOF"),
        ("nul\0",),
        ("tab\t",),
    ],
)
def test_words_that_would_end_or_split_a_command_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(BadCommandError):
        command(*words)


def test_spaces_and_backslashes_are_escaped() -> None:
    assert command("add", "map", "/m", "a b", "c\\d", 7) == "add map /m a\\ b c\\\\d 7"


@given(st.lists(st.text(min_size=1), min_size=1))
def test_whatever_the_words_there_is_one_line_or_a_refusal(words: list[str]) -> None:
    try:
        line = command(*words)
    except BadCommandError:
        return
    assert not set(line) & set(";\n\r\0")
    rest = line.replace("\\\\", "").replace("\\ ", "")
    assert rest.count(" ") == len(words) - 1


@pytest.mark.parametrize(
    "line",
    ["", "prompt", "quit", "set severity-output none", "a;b", "a\nb", "show map <<", "show version \\", "\ud800 x"],
)
async def test_lines_that_would_break_the_framing_are_never_sent(fake: FakeSocket, line: str) -> None:
    async with RuntimeClient(fake.path) as client:
        with pytest.raises(BadCommandError):
            await client.run(["show a", line])
    assert fake.lines == []


async def test_a_line_longer_than_haproxys_buffer_is_never_sent(fake: FakeSocket) -> None:
    async with RuntimeClient(fake.path) as client:
        with pytest.raises(BadCommandError, match="bytes"):
            await client.run(["show map " + "x" * LINE_LIMIT])
        with pytest.raises(BadCommandError, match="bytes"):
            await client.run([with_payload("add map m", ["k v"] * LINE_LIMIT)])
    assert fake.connections == 0


def test_a_payload_has_no_blank_lines_and_no_line_breaks_inside() -> None:
    assert with_payload("add map m", ["a 1", "", "  ", "b ;2"]).payload == "a 1\nb ;2\n"
    with pytest.raises(BadCommandError):
        with_payload("add map m", ["a 1\n\nshutdown frontend x"])
