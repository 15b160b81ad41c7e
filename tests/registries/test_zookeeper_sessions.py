"""The sessions that a registrar knows to be its own."""

from __future__ import annotations

from pathlib import Path

from longshore.registries.zookeeper_sessions import MOST, OwnSessions


async def test_the_next_run_knows_those_of_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "sessions"
    assert await OwnSessions(file).join(0x1000A) == {0x1000A}
    assert await OwnSessions(file).join(-5) == {0x1000A, -5}
    assert await OwnSessions(file).join(0x1000A) == {0x1000A, -5}
    assert file.read_text() == "-5\n1000a\n"


async def test_old_ones_are_forgotten(tmp_path: Path) -> None:
    own = OwnSessions(tmp_path / "sessions")
    for number in range(MOST + 1):
        known = await own.join(number)
    assert known == set(range(1, MOST + 1))


async def test_a_file_of_no_use_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("what?\n")
    assert await OwnSessions(tmp_path / "sessions").join(7) == {7}
    assert await OwnSessions(tmp_path / "missing" / "sessions").join(7) == {7}
