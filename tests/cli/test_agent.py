"""`longshore agent`, as a program: what it refuses, and that it serves and ends when told to."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.clients.fake_engine import FakeEngine, serving
from tests.lab.balancer import LONGSHORE
from tests.lab.ports import free
from tests.lab.waiting import until


def environment(**settings: object) -> dict[str, str]:
    own = {f"LONGSHORE_AGENT_{name.upper()}": str(value) for name, value in settings.items()}
    return {key: value for key, value in os.environ.items() if not key.startswith("LONGSHORE_")} | own


def test_it_does_not_tell_strangers() -> None:
    done = subprocess.run(
        [LONGSHORE, "agent"],
        env=environment(bind=f":{free()}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "nothing guards what is told there" in done.stderr
    assert "agent.token-file" in done.stderr


async def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    engine, port = FakeEngine(), free()
    engine.add("web")
    async with serving(engine) as host:
        env = environment(bind=f"127.0.0.1:{port}", token_file=tmp_path / "token", host=host)
        with (tmp_path / "log").open("w") as log:
            process = await asyncio.create_subprocess_exec(LONGSHORE, "agent", env=env, stdout=log, stderr=log)

        try:
            await asyncio.to_thread(until, lambda: asked(port, "/readyz") == 200)
            assert await asyncio.to_thread(asked, port, "/v1/snapshot") == 401
            told = json.loads(await asyncio.to_thread(answer, port, "/v1/snapshot", "secret"))
            assert [json.loads(each)["name"] for each in told["containers"]] == ["web"]
        finally:
            process.send_signal(signal.SIGTERM)
            code = await process.wait()
    assert code == 0, (tmp_path / "log").read_text()


def answer(port: int, path: str, token: str = "") -> bytes:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answered:
        body: bytes = answered.read()
    return body


def asked(port: int, path: str) -> int:
    try:
        answer(port, path)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0  # it does not listen yet
    return 200
