"""A HAProxy of somebody else: given our configuration, reloaded, never ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshore.clients.haproxy_faults import UnreachableError
from longshore.haproxy.attached import Attached
from longshore.haproxy.faults import ConfigError, ReloadError
from tests.haproxy.plain import Plain, plain
from tests.haproxy.rendered import until
from tests.lab.haproxy import every_version, haproxy, oldest_and_newest
from tests.lab.waiting import eventually

pytestmark = pytest.mark.system


@asynccontextmanager
async def theirs(series: str) -> AsyncIterator[tuple[Plain, asyncio.subprocess.Process]]:
    """A HAProxy that somebody started with a configuration of their own."""
    async with plain(series) as here:
        here.put(here.paths.config, here.config("theirs").replace("# Written by longshore", "# Written by hand"))
        here.put(here.paths.server_state, "1\n")
        process = await asyncio.create_subprocess_exec(
            haproxy(series), "-W", "-S", here.paths.master, "-f", here.paths.config, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await eventually(lambda: Path(here.paths.socket).exists() and Path(here.paths.master).exists())
            await until(lambda: _answers(here), "it serves")
            yield here, process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _answers(here: Plain) -> bool:
    return bool(await here.ask())


def attached(here: Plain, *, master: bool = True, binary: bool = True) -> Attached:
    return Attached(
        here.paths,
        config_file=here.paths.config,
        master_socket=here.paths.master if master else "",
        binary=str(haproxy(here.series)) if binary else "",
    )


@every_version
async def test_it_gets_our_configuration_by_a_reload_and_is_adopted_without_one_later(series: str) -> None:
    async with theirs(series) as (here, process):
        ours = attached(here)
        assert not await ours.adopt(), "its configuration is not ours yet"
        await ours.start(here.config("first"))
        assert await here.ask() == "first"
        assert ours.pid == process.pid
        reloaded = await ours.reload(here.config("second"), "why")
        assert (reloaded.reason, reloaded.pid) == ("why", ours.runtime().pid)
        await ours.stop(0)
        again = attached(here)
        assert await again.adopt()
        assert again.runtime().pid == reloaded.pid
        await again.close()
        assert await here.ask() == "second"
        assert process.returncode is None


@every_version
@pytest.mark.parametrize("binary", [True, False])
async def test_a_broken_configuration_is_never_left_in_place(series: str, binary: bool) -> None:
    """Without a binary to check it, HAProxy refuses it at the reload."""
    async with theirs(series) as (here, _):
        ours = attached(here, binary=binary)
        await ours.start(here.config("first"))
        with pytest.raises(ConfigError if binary else ReloadError):
            await ours.reload(here.config("second", "    bogus\n"), "test")
        assert await here.ask() == "first"
        assert here.written() == here.config("first")
        await ours.close()


@oldest_and_newest
async def test_without_a_master_socket_the_operator_is_told_and_his_reload_is_noticed(series: str) -> None:
    async with theirs(series) as (here, process):
        ours = attached(here, master=False)
        for _ in range(2):
            with pytest.raises(ReloadError, match="systemctl reload haproxy"):
                await ours.start(here.config("first"))
        assert here.written() == here.config("first")
        await ours.runtime().close()
        process.send_signal(12)  # SIGUSR2, what systemctl reload sends
        await until(lambda: _says(here, "first"), "the operator's reload")
        reloaded = await ours.reload(here.config("first"), "test")
        assert reloaded.pid == ours.runtime().pid
        again = attached(here, master=False)
        assert await again.adopt()
        await again.close()
        await ours.close()


async def _says(here: Plain, word: str) -> bool:
    return await here.ask() == word


@oldest_and_newest
async def test_one_that_does_not_run_is_an_error_with_a_hint_and_its_end_is_noticed(
    series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longshore.haproxy.attached.GONE", 0.1)
    monkeypatch.setattr("longshore.haproxy.attached._EVERY", 0.05)
    async with theirs(series) as (here, process):
        ours = attached(here)
        await ours.start(here.config("first"))
        ending = asyncio.create_task(ours.wait_exit())
        process.terminate()
        await process.wait()
        assert "does not answer" in await ending
        with pytest.raises(UnreachableError, match="stats socket"):
            await ours.start(here.config("second"))
        await ours.close()
