"""Who a registrar is: the same for as long as its host is, and alone in its state directory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from longshore.agent import register_identity as identity
from longshore.agent.register_identity import Lock, TakenError, host_name, owner_of
from longshore.config.engine import Engine
from tests.clients.fake_engine import FakeEngine, serving


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an id, in a file."""
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef\n")
    monkeypatch.setattr(identity, "MACHINE", (tmp_path / "none", path))
    return path


def state(tmp_path: Path, name: str = "state") -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


async def test_the_owner_is_the_name_and_a_number_and_survives_a_renaming(tmp_path: Path) -> None:
    folder = state(tmp_path)
    owner = await owner_of(folder, "web1", None)
    assert re.fullmatch(r"web1\.[0-9a-f]{8}", owner)
    assert await owner_of(folder, "shop1", None) == owner


async def test_who_lost_the_state_directory_is_the_same_again(tmp_path: Path) -> None:
    assert await owner_of(state(tmp_path, "a"), "web1", None) == await owner_of(state(tmp_path, "b"), "web1", None)


async def test_machines_of_one_image_differ_by_name(tmp_path: Path) -> None:
    assert await owner_of(state(tmp_path, "a"), "web1", None) != await owner_of(state(tmp_path, "b"), "web2", None)


async def test_the_engine_s_id_counts_and_one_that_is_away_costs_nothing(tmp_path: Path) -> None:
    engine = FakeEngine(info={"ID": "one"})
    async with serving(engine) as host:
        one = await owner_of(state(tmp_path, "a"), "web1", Engine(host=host))
        engine.info = {"ID": "two"}
        assert await owner_of(state(tmp_path, "b"), "web1", Engine(host=host)) != one
    away = await owner_of(state(tmp_path, "c"), "web1", Engine(host="unix:///nowhere/docker.sock"))
    assert away == await owner_of(state(tmp_path, "d"), "web1", None)


@pytest.mark.parametrize("text", ["rubbish", "[]", "{}", '{"owner": ""}', '{"owner": 5}', '{"owner": "a\\nb"}'])
async def test_a_file_of_no_use_is_made_anew(tmp_path: Path, text: str) -> None:
    folder = state(tmp_path)
    (folder / "registrar.json").write_text(text)
    owner = await owner_of(folder, "web1", None)
    assert owner.startswith("web1.")
    assert json.loads((folder / "registrar.json").read_text())["owner"] == owner


async def test_a_machine_without_an_id_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MACHINE", ())
    folder = state(tmp_path)
    assert await owner_of(folder, "web1", None) == await owner_of(folder, "web1", None)


def test_one_registrar_for_each_state_directory(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with pytest.raises(TakenError, match=r"another registrar \(pid \d+\) runs with the state directory"):
        Lock(tmp_path)
    lock.close()
    Lock(tmp_path).close()


def test_on_a_full_disk_there_is_one_registrar_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    lock = Lock(tmp_path)
    with pytest.raises(TakenError, match="another registrar runs with"):
        Lock(tmp_path)
    lock.close()


def test_the_host_has_a_name() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", host_name())
