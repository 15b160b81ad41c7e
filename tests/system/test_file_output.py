"""`file-output`: files for other programs follow what is served, beside the routing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.balancer import Balancer
from tests.lab.engine import Engine
from tests.lab.haproxy import oldest_and_newest
from tests.lab.waiting import until
from tests.system.hostile import start

pytestmark = [pytest.mark.system, pytest.mark.parametrize("row", [pytest.param("A2", id="A2 file_output: served")])]

WEB = {"longshore.service": "web", "longshore.host": "web.test"}


def names(file: Path) -> list[str] | None:
    return [each["name"] for each in json.loads(file.read_text())] if file.exists() else None


@oldest_and_newest
def test_files_follow_containers_and_outlive_a_restart(
    row: str, engine: Engine, balance: Callable[..., Balancer], tmp_path: Path, series: str
) -> None:
    folder, file = tmp_path / "out", tmp_path / "out" / "web.json"
    config = {"forget-after": "1s", "file-output": {"directory": str(folder)}}
    balancer = balance(engine=engine, series=series, config=config)
    one, two = (start(engine, name, WEB) for name in ("one", "two"))
    until(lambda: names(file) == ["one", "two"], what="both stand there")
    assert balancer.serves("web.test", 2) == {"one", "two"}
    hosts = {(each["host"], each["port"]) for each in json.loads(file.read_text())}
    assert hosts == {(each["address"], each["port"]) for each in balancer.service("web")["endpoints"]}
    (folder / "other.json").write_text("[]")
    two.kill("TERM")
    until(lambda: names(file) == ["one"], what="who was told to stop is gone at once")

    inode = file.stat().st_ino
    assert balancer.terminate() == 0
    balancer.start()
    three = start(engine, "three", WEB | {"longshore.service": "three"})
    until(lambda: names(folder / "three.json") == ["three"], what="the next one is written")
    assert (names(file), file.stat().st_ino) == (["one"], inode), "what did not change was not written again"

    for container in (one, three):
        container.rm()
    until(lambda: not file.exists() and not (folder / "three.json").exists(), what="files of forgotten services go")
    assert (folder / "other.json").read_text() == "[]"


def test_what_cannot_be_written_is_said_and_stops_nothing(
    row: str, engine: Engine, balance: Callable[..., Balancer], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.write_text("in the way")
    balancer = balance(engine=engine, config={"file-output": {"directory": str(folder), "services": ["web", "db"]}})
    start(engine, "one", WEB)
    assert balancer.serves("web.test", 1) == {"one"}
    said = f"file-output {folder}"
    balancer.until(lambda status: any(each["where"] == said for each in status["problems"]), "it is a problem")
    folder.unlink()
    until(lambda: names(folder / "web.json") == ["one"] and names(folder / "db.json") == [], what="it is written then")
    balancer.until(lambda status: not status["problems"], "it is no problem any more")
