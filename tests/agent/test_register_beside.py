"""A registrar beside a balancer: whatever goes wrong with it is said, and mended by the next configuration."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from longshore.agent import register_beside
from longshore.agent.journal import Journal
from longshore.agent.metrics import Metrics
from longshore.agent.register_beside import Beside
from longshore.agent.register_identity import Lock
from longshore.agent.registrar import Registrar
from longshore.agent.report import Status
from longshore.config import load
from longshore.config.load import Loaded
from tests.lab.waiting import eventually


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    path = tmp_path / "longshore.yaml"
    section = {"address": "10.0.0.5", "containers": False}
    path.write_text(json.dumps({"state-dir": str(tmp_path), "sources": {"etcd": {}}, "register": section}))
    return load(path, {})


@pytest.fixture
def beside() -> Beside:
    return Beside(Journal(), Metrics(lambda: Status("1")))


def said(beside: Beside, *words: str) -> bool:
    return [word in problem.what for word, problem in zip(words, beside.problems(), strict=False)] == [True] * len(
        words
    )


async def test_a_disk_that_is_full_is_no_other_registrar(
    beside: Beside, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there is room, reading the configuration again is enough."""

    async def full(*_: object) -> Registrar:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(register_beside, "registrar_of", full)
        beside.take(loaded)
        await eventually(lambda: said(beside, "No space left on device"))
        Lock(loaded.config.state_dir).close()
    beside.take(loaded)
    await eventually(lambda: beside.status() is not None)
    assert not any("another registrar" in problem.what for problem in beside.problems())
    await beside.end(keep=True)


async def test_a_registrar_that_fails_is_said_and_started_again(
    beside: Beside, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []

    async def run(_: Registrar) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise RuntimeError("a defect")
        await asyncio.Event().wait()

    monkeypatch.setattr(Registrar, "run", run)
    beside.take(loaded)
    await eventually(lambda: said(beside, "failed by a defect"))
    await eventually(lambda: len(runs) == 2)
    await beside.end(keep=True)
