"""Runs commands as the program would, against a fake agent that is served by a thread of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longshore.cli.app import run
from longshore.web.server import Web
from tests.web.fake_agent import FakeAgent


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


class ServedAgent:
    """A fake agent behind its socket in `folder`; `do` runs a coroutine where the agent lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.fake = FakeAgent()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def start(self) -> None:
        self._thread.start()
        self.serve()

    def serve(self) -> None:
        self.web = Web(self.fake, self.folder)
        self.do(self.web.__aenter__())

    def until_watched(self) -> None:
        """Wait until somebody has seen everything so far and waits for more."""
        deadline = time.monotonic() + 30
        while self.fake.waiting != self.fake.status().seq:
            assert time.monotonic() < deadline, "nobody waits for a change"
            time.sleep(0.01)

    def unserve(self) -> None:
        self.do(self.web.__aexit__())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The state directory that commands find; nobody serves there. Its path is short: sockets have little room."""
    folder = Path(tempfile.mkdtemp(prefix="ls"))
    for name in ("LONGSHORE_CONFIG", "DOCKER_HOST", "DOCKER_TLS_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LONGSHORE_STATE_DIR", str(folder))
    monkeypatch.setenv("NO_COLOR", "1")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def agent(state: Path) -> Iterator[ServedAgent]:
    served = ServedAgent(state)
    served.start()
    try:
        yield served
        served.unserve()
    finally:
        served.stop()


@pytest.fixture
def command(state: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""

    def call(*arguments: str) -> Ended:
        code = run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Ended(code, out, err)

    return call
