"""Files for other programs: written as a whole, only when they change, and nothing of others is touched."""

from __future__ import annotations

import asyncio
import json
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from longshore.agent.file_output import MARK, FileOutput
from longshore.agent.journal import Journal
from longshore.config.file_output import FileOutputConfig
from longshore.core.model import Endpoint, Service
from tests.lab.waiting import eventually

pytestmark = pytest.mark.parametrize("row", [pytest.param("A2", id="A2 file_output: files")])


def service(name: str, *ports: int) -> Service:
    return Service(name, endpoints=tuple(Endpoint(f"10.0.0.1:{port}", "web", "10.0.0.1", port) for port in ports))


async def written(output: FileOutput, *services: Service, whole: bool = True) -> bool:
    """Have these written; answers whether it could be done."""
    output.note({each.name: each for each in services}, whole=whole)
    return await output.flush()


def ports(file: Path) -> list[int]:
    return [each["port"] for each in json.loads(file.read_text())]


def says(file: Path, expected: list[int]) -> bool:
    return file.exists() and ports(file) == expected


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def output(folder: Path, *services: str, **more: Any) -> FileOutput:
    return FileOutput(FileOutputConfig(directory=folder, services=services or None), **more)


async def test_each_service_has_a_file_that_everybody_may_read(tmp_path: Path, row: str) -> None:
    folder = tmp_path / "made" / "by us"
    assert await written(output(folder), service("web", 81, 80), service("db"))
    assert names(folder) == [MARK, "db.json", "web.json"]
    assert ports(folder / "web.json") == [80, 81]
    assert ports(folder / "db.json") == []
    assert stat.S_IMODE((folder / "web.json").stat().st_mode) == 0o644


async def test_a_file_is_replaced_only_when_its_content_changes(tmp_path: Path, row: str) -> None:
    one = output(tmp_path)
    await written(one, service("web", 80), service("db", 1))
    before = {name: (tmp_path / name).stat() for name in names(tmp_path)}
    await written(one, service("web", 80, 81), service("db", 1))
    await written(output(tmp_path), service("web", 80, 81), service("db", 1))  # as after a restart
    after = {name: (tmp_path / name).stat() for name in names(tmp_path)}
    assert {name for name in before if before[name].st_ino != after[name].st_ino} == {"web.json"}
    assert ports(tmp_path / "web.json") == [80, 81]


async def test_a_file_of_synapses_that_says_the_same_stays(tmp_path: Path, row: str) -> None:
    file = tmp_path / "web.json"
    file.write_text('[ {"port": 80, "name": "web", "host": "10.0.0.1", "id": "10.0.0.1:80"} ]')
    await written(output(tmp_path), service("web", 80))
    assert file.read_text().startswith("[ {")


async def test_what_others_put_there_stays(tmp_path: Path, row: str) -> None:
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("")
    one = output(tmp_path)
    await written(one, service("web", 80), service("db", 1))
    await written(one, service("web", 80))
    assert names(tmp_path) == [MARK, "notes.txt", "other.json", "web.json"]


async def test_what_an_earlier_life_wrote_goes_when_all_is_known(tmp_path: Path, row: str) -> None:
    await written(output(tmp_path), service("web", 80), service("db", 1))
    later = output(tmp_path)
    await written(later, service("web", 80), whole=False)
    assert "db.json" in names(tmp_path), "nothing is known of it yet"
    await written(later, service("web", 80))
    assert "db.json" not in names(tmp_path)


async def test_services_may_be_chosen_and_are_empty_until_they_are_found(tmp_path: Path, row: str) -> None:
    one = output(tmp_path, "web", "db")
    await written(one, service("web", 80), service("other", 1), whole=False)
    assert names(tmp_path) == [MARK, "web.json"]
    await written(one, service("web", 80), service("other", 1))
    assert names(tmp_path) == [MARK, "db.json", "web.json"]
    assert ports(tmp_path / "db.json") == []


async def test_a_folder_that_cannot_be_written_is_a_problem_until_it_can(tmp_path: Path, row: str) -> None:
    (tmp_path / "folder").write_text("not a folder")
    told: list[str] = []
    one = output(tmp_path / "folder", changed=lambda: told.append("another"))
    assert not await written(one, service("web", 80))
    assert one.problem is not None
    assert "cannot be written" in one.problem.what
    (tmp_path / "folder").unlink()
    assert await one.flush()
    assert one.problem is None
    assert ports(tmp_path / "folder" / "web.json") == [80]
    assert len(told) == 2


async def test_what_is_served_is_followed(tmp_path: Path, row: str) -> None:
    journal, one, file = Journal(), output(tmp_path), tmp_path / "web.json"
    services: dict[str, Service] = {}
    tasks = [asyncio.create_task(work) for work in (one.follow(journal, lambda: (services, True)), one.watch())]
    try:
        for port in (80, 81):
            services["web"] = service("web", port)
            journal.touch()
            await eventually(partial(says, file, [port]), what=f"port {port} is there")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_another_folder_gets_all_of_it_and_none_ends_it(tmp_path: Path, row: str) -> None:
    one = output(tmp_path / "a")
    await written(one, service("web", 80))
    one.take(FileOutputConfig(directory=tmp_path / "b"))
    await written(one, service("web", 81))
    assert (ports(tmp_path / "a" / "web.json"), ports(tmp_path / "b" / "web.json")) == ([80], [81])
    one.take(None)
    assert await written(one, service("web", 82))
    assert ports(tmp_path / "b" / "web.json") == [81]
