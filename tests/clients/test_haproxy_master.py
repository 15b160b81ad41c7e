"""The master socket: who runs, and whether a reload worked, on every version's way of saying so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from longshore.clients.haproxy_faults import UnreachableError
from longshore.clients.haproxy_master import MasterClient, Processes, ReloadAnswer, parse_processes

HEAD = "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "13 master 0 [failed: 0] 0d00h00m04s 2.6.12\n# workers\n15 worker 0 0d00h00m03s 2.6.12\n# programs\n\n",
            Processes(13, 0, 0, 15, (), "2.6.12"),
        ),
        (
            "13 master 2 [failed: 1] 0d00h00m08s 2.6.12\n# workers\n15 worker 1 0d00h00m02s 2.6.12\n# programs\n\n",
            Processes(13, 2, 1, 15, (), "2.6.12"),
        ),
        (
            "13 master 2 [failed: 0] 0d 3.0\n# workers\n17 worker 0 0d 3.0\n# old workers\n15 worker 1 0d 3\n",
            Processes(13, 2, 0, 17, (15,), "3.0"),
        ),
        (  # 3.2+: after a failed reload the serving worker is listed among the old ones
            "13 master 3 [failed: 1] 0d 3.4.7\n# workers\n# old workers\n15 worker 2 0d 3.4.7\n17 worker 1 0d 3.4.7\n",
            Processes(13, 3, 1, 17, (15,), "3.4.7"),
        ),
    ],
)
def test_the_serving_worker_is_found_in_every_versions_table(table: str, expected: Processes) -> None:
    assert parse_processes(HEAD + table) == expected
    assert parse_processes(HEAD + table).pids == {13, expected.worker, *expected.old}


def test_a_table_without_a_master_is_no_answer() -> None:
    with pytest.raises(UnreachableError):
        parse_processes("")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"", ReloadAnswer(None)),
        (b"Success=1\n--\n[NOTICE] fine\n\n", ReloadAnswer(True, ("[NOTICE] fine",))),
        (b"Success=0\n--\n[ALERT] bad\n[ALERT] worse\n\n", ReloadAnswer(False, ("[ALERT] bad", "[ALERT] worse"))),
    ],
)
async def test_reload_tells_success_failure_or_that_it_is_not_known_yet(
    tmp_path: Path, said: bytes, answer: ReloadAnswer
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(said)
        writer.close()

    path = str(tmp_path / "m.sock")
    async with await asyncio.start_unix_server(serve, path):
        assert await MasterClient(path).reload() == answer
    assert asked == [b"reload\n"]


async def test_a_master_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError):
        await MasterClient(str(tmp_path / "none")).processes()
