"""A HAProxy of ours: started, reloaded, adopted, watched and stopped, in every supported version."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from longshore.clients.haproxy_faults import HAProxyError
from longshore.clients.haproxy_master import MasterClient
from longshore.core.paths import Paths
from longshore.haproxy.faults import AddressError, BinaryError, ConfigError, ReloadError, StartError
from longshore.haproxy.identity import identify, recall
from longshore.haproxy.managed import Managed
from tests.haproxy.plain import Plain, plain, runs
from tests.lab.haproxy import every_version, oldest_and_newest
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]


@every_version
async def test_a_started_haproxy_answers_and_a_stopped_one_leaves_nothing_behind(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        assert not await process.adopt()
        await process.start(here.config())
        assert await here.ask() == "first"
        assert process.runtime().pid not in (0, process.pid)
        pid, worker = process.pid, process.runtime().pid
        await process.stop(5)
        assert not runs(pid)
        assert not runs(worker)
        assert process.pid == 0
        assert here.files() == {"haproxy.cfg", "haproxy.log", "server-state", "stats"}


@every_version
async def test_a_reload_brings_a_new_worker_and_the_runtime_connection_goes_with_it(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        old = process.runtime().pid
        reloaded = await process.reload(here.config("second"), "a new word")
        assert (reloaded.reason, reloaded.pid) == ("a new word", process.runtime().pid)
        assert reloaded.pid != old
        assert (await process.runtime().info())["Pid"] == str(reloaded.pid)
        assert await here.ask() == "second"
        assert here.written() == here.config("second")
        assert "haproxy.cfg.previous" not in here.files()
        await eventually(lambda: not runs(old), what="the old worker ends: nothing holds it")


@every_version
async def test_reloads_lose_no_request(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        answers: list[str] = []
        done = asyncio.Event()

        async def load() -> None:
            while not done.is_set():
                answers.append(await here.ask())

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(load())
            await asyncio.gather(*(process.reload(here.config(f"word{n}"), "test") for n in range(4)))
            done.set()
        assert "" not in answers
        assert len(answers) > 4
        assert await here.ask() == "word3", "reloads take turns, in order"


@every_version
async def test_a_broken_configuration_is_refused_with_its_line_and_changes_nothing(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        worker = process.runtime().pid
        with pytest.raises(ConfigError, match="unknown keyword 'bogus'") as caught:
            await process.reload(here.config("second", "    bogus word\n"), "test")
        (fault,) = [f for f in caught.value.faults if f.fatal]
        assert (fault.line, fault.source) == (len(here.config().splitlines()) + 1, "bogus word")
        assert await here.ask() == "first"
        assert process.runtime().pid == worker
        assert here.written() == here.config()
        with pytest.raises(ConfigError):
            await here.managed().start(here.config(more="    bogus word\n"))


@every_version
async def test_what_haproxy_refuses_only_when_loading_is_said_and_taken_back(series: str) -> None:
    """`haproxy -c` cannot know that a socket cannot be bound; the file on disk stays what runs."""
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        unbindable = here.config("second", "frontend no\n    bind /nonexistent/folder/x.sock\n")
        for _ in range(2):
            with pytest.raises(ReloadError, match="/nonexistent/folder/x"):
                await process.reload(unbindable, "test")
            assert await here.ask() == "first"
            assert here.written() == here.config()
        await process.reload(here.config("third"), "a good one after bad ones")
        assert await here.ask() == "third"


@oldest_and_newest
async def test_a_reload_that_is_cancelled_is_finished_first(series: str) -> None:
    """A SIGTERM of ours in the middle leaves no doubt about what runs."""
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        reloading = asyncio.create_task(process.reload(here.config("second"), "test"))
        await eventually(lambda: "haproxy.cfg.previous" in here.files(), every=0.001, what="the reload has begun")
        reloading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reloading
        assert "haproxy.cfg.previous" not in here.files()
        assert await here.ask() == "second"


@oldest_and_newest
async def test_nobody_waits_for_the_reload_of_a_haproxy_that_has_ended(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        os.kill(process.pid, signal.SIGSTOP)  # so that the reload does not get far
        reloading = asyncio.create_task(process.reload(here.config("second"), "test"))
        await eventually(lambda: "haproxy.cfg.previous" in here.files(), every=0.001, what="the reload has begun")
        os.kill(process.pid, signal.SIGKILL)
        async with asyncio.timeout(30):
            with pytest.raises(ReloadError, match="ended when it should reload"):
                await reloading
        assert here.written() == here.config()
        await process.start(here.config("second"))
        assert await here.ask() == "second"


@oldest_and_newest
async def test_haproxys_messages_never_fill_the_disk(series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longshore.haproxy.output.LIMIT", 20_000)
    monkeypatch.setattr("longshore.haproxy.output.KEEP", 5_000)
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        for n in range(5):
            lines = [f"{verb} server app/s{m}" for m in range(200) for verb in ("add", "del")]
            await process.runtime().run([f"{line} 127.0.0.1:1" if line[0] == "a" else line for line in lines])
            await process.save(here.config(f"word{n}"))
            assert 0 < here.size(process.log) <= 20_000
        assert here.written() == here.config("word4")


@every_version
async def test_a_configuration_without_a_frontend_runs_until_there_is_one(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config().partition("frontend")[0])
        assert await process.runtime().ask("show version")
        await process.reload(here.config(), "the first frontend")
        assert await here.ask() == "first"
        await process.reload(here.config().partition("frontend")[0], "no frontend is left")
        assert await here.ask() == ""


@every_version
async def test_a_haproxy_that_cannot_start_says_why_and_leaves_nothing_running(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        with pytest.raises(StartError, match="/nonexistent/folder/x"):
            await process.start(here.config(more="frontend no\n    bind /nonexistent/folder/x.sock\n"))
        assert process.pid == 0
        assert "haproxy.pid" not in here.files()
        await process.start(here.config())
        assert await here.ask() == "first"


@every_version
async def test_weight_and_admin_state_survive_a_reload(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        await process.runtime().run(["set server app/one weight 7", "set server app/one state drain"])
        await process.reload(here.config("second"), "test")
        row = (await process.runtime().ask("show servers state app")).splitlines()[2].split()
        assert (row[3], row[6], row[7]) == ("one", "8", "7")


DYING = """
import asyncio, os, sys
from longshore.core.paths import Paths
from longshore.haproxy.managed import Managed

async def main():
    process = Managed(Paths(sys.argv[1]), binary=sys.argv[2])
    await process.start(sys.stdin.read())
    print("started", flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@every_version
async def test_haproxy_survives_our_death_and_is_adopted_without_a_reload(series: str) -> None:
    """Also when nobody reads any more what it writes to the stdout that it inherited."""
    async with plain(series) as here:
        config = here.config(extra="log stdout format raw local0").replace("mode http", "mode http\n    log global")
        words = [sys.executable, "-c", DYING, here.paths.state, here.managed().binary]
        died = await asyncio.to_thread(dying, words, config)
        assert died == -signal.SIGKILL
        assert [await here.ask() for _ in range(3)] == ["first"] * 3
        process = here.managed()
        assert await process.adopt()
        now = await MasterClient(here.paths.master).processes()
        assert (now.master, now.worker, now.reloads) == (process.pid, process.runtime().pid, 0)
        await process.reload(config.replace("first", "second"), "adopted ones can be reloaded")
        assert await here.ask() == "second"
        ending = asyncio.create_task(process.wait_exit())
        os.kill(process.pid, signal.SIGKILL)
        assert "ended" in await ending


def dying(words: list[str], config: str) -> int:
    """Run a longshore that starts HAProxy and is killed; its stdout is a pipe that is then closed."""
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(config)
        child.stdin.close()
        assert child.stdout.readline() == "started\n"
        return child.wait(30)


@oldest_and_newest
async def test_a_haproxy_is_adopted_even_if_the_pid_file_is_lost(series: str) -> None:
    async with plain(series) as here:
        first = here.managed()
        await first.start(here.config())
        here.remove(here.paths.pid)
        second = here.managed()
        assert await second.adopt()
        assert second.pid == first.pid
        found = recall(here.paths.pid)
        assert found is not None
        assert found.pid == first.pid


@oldest_and_newest
async def test_a_reload_that_was_interrupted_by_our_death_is_finished_when_adopted(series: str) -> None:
    async with plain(series) as here:
        first = here.managed()
        await first.start(here.config())
        here.put(here.paths.config + ".previous", here.config())
        here.put(here.paths.config, here.config("second"))
        assert await here.managed().adopt()
        assert await here.ask() == "second"
        assert "haproxy.cfg.previous" not in here.files()


@oldest_and_newest
async def test_a_pid_that_now_belongs_to_another_process_is_never_adopted_nor_signalled(series: str) -> None:
    async with plain(series) as here:
        stranger = await asyncio.create_subprocess_exec("sleep", "60")
        try:
            told = identify(stranger.pid)
            assert told is not None
            here.put(here.paths.pid, json.dumps({"pid": told.pid, "started": told.started - 1, "boot": told.boot}))
            process = here.managed()
            assert not await process.adopt()
            await process.stop(1)
            assert runs(stranger.pid)
            here.put(here.paths.pid, json.dumps({"pid": told.pid, "started": told.started, "boot": told.boot}))
            assert not await here.managed().adopt(), "it runs, but it is no HAProxy of ours"
            here.remove(here.paths.pid)
        finally:
            stranger.kill()
            await stranger.wait()


@oldest_and_newest
async def test_one_of_ours_that_cannot_be_spoken_to_is_replaced(series: str) -> None:
    async with plain(series) as here:
        first = here.managed()
        await first.start(here.config())
        old = first.pid
        await first.close()
        here.remove(here.paths.master)
        second = here.managed()
        await second.start(here.config("second"))
        assert second.pid != old
        await eventually(lambda: not _runs_after_wait(old), what="the former one ends")
        assert await here.ask() == "second"


def _runs_after_wait(pid: int) -> bool:
    """Whether our child runs; collects it if it has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return runs(pid)


@every_version
async def test_the_end_of_haproxy_is_told_with_its_cause_and_it_can_be_started_again(series: str) -> None:
    async with plain(series) as here:
        process = here.managed()
        await process.start(here.config())
        ending = asyncio.create_task(process.wait_exit())
        os.kill(process.pid, signal.SIGKILL)
        assert "was killed by SIGKILL" in await ending
        await process.start(here.config("second"))
        ending = asyncio.create_task(process.wait_exit())
        os.kill(process.runtime().pid, signal.SIGSEGV)
        assert "139" in await ending, "a crash of the worker takes the master down"
        await process.start(here.config("third"))
        assert await here.ask() == "third"


@oldest_and_newest
async def test_an_address_another_program_listens_on_is_refused_with_its_name(series: str) -> None:
    """Also when that program, like HAProxy, would share it (SO_REUSEPORT)."""
    async with plain(series) as here:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", here.port))
            other.listen()
            process = here.managed()
            with pytest.raises(AddressError, match=rf"127\.0\.0\.1:{here.port}: .*\(pid {os.getpid()}\)"):
                await process.start(here.config())
        assert process.pid == 0
        await process.start(here.config())
        with socket.create_server(("127.0.0.1", here.app)):
            more = f"frontend more\n    bind 127.0.0.1:{here.app}\n"
            with pytest.raises(AddressError, match=str(here.app)):
                await process.reload(here.config("second", more), "a new address")
        assert await here.ask() == "first"
        await process.reload(here.config("third"), "its own addresses are no strangers")


@oldest_and_newest
async def test_stop_lets_running_requests_finish(series: str) -> None:
    async with plain(series) as here:
        arrived, go = asyncio.Event(), asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await go.wait()
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nfinished")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(slow, "127.0.0.1", here.app):
            process = here.managed()
            await process.start(here.config())
            asked = asyncio.create_task(here.ask("/slow"))
            async with asyncio.timeout(30):
                await arrived.wait()
            pid = process.pid
            stopping = asyncio.create_task(process.stop(60))
            await eventually(_refused(here), what="no new connection is taken")
            assert runs(pid)
            go.set()
            assert await asked == "finished"
            await stopping
            assert not runs(pid)


@oldest_and_newest
async def test_stop_ends_what_does_not_finish_in_time(series: str) -> None:
    async with plain(series) as here:
        arrived = asyncio.Event()

        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await reader.read()
            writer.close()

        async with await asyncio.start_server(never, "127.0.0.1", here.app):
            process = here.managed()
            await process.start(here.config())
            asked = asyncio.create_task(here.ask("/slow"))
            async with asyncio.timeout(30):
                await arrived.wait()
            pid, worker = process.pid, process.runtime().pid
            os.kill(worker, signal.SIGSTOP)  # it cannot even end itself
            await process.stop(0.1)
            assert not runs(pid)
            assert not runs(worker)
            await asked


def _refused(here: Plain) -> Callable[[], bool | Awaitable[bool]]:
    async def refused() -> bool:
        return not await here.ask()

    return refused


async def test_a_missing_binary_says_so(tmp_path: Path) -> None:
    process = Managed(Paths(str(tmp_path)), binary="/nonexistent/haproxy")
    with pytest.raises(BinaryError, match="/nonexistent/haproxy"):
        await process.start("global\n")


async def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "haproxy").write_text("in the way")
    with pytest.raises(HAProxyError, match="cannot write"):
        await Managed(Paths(str(tmp_path)), binary="/nonexistent/haproxy").start("global\n")
