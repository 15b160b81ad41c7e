"""A folder of files: found changed by content, and what is broken keeps its last good version."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from textwrap import dedent

import pytest

from longshore.config.schema import FileSource
from longshore.core.model import Snapshot
from longshore.sources.file import watch
from tests.sources.written import Published, Resolver, running

GOOD = """
    services:
      db: {tcp: ":5432", endpoints: ["10.0.0.5:5432"]}
      web: {host: a.test, endpoints: ["10.0.0.1:80", "10.0.0.2:80"]}
"""


class Folder:
    """A folder that is watched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = Published()
        path.mkdir(exist_ok=True)

    def write(self, name: str, text: str) -> None:
        """Write a file in one step, as the documentation asks for."""
        (self.path / f".{name}.new").write_text(dedent(text), encoding="utf-8")
        (self.path / f".{name}.new").rename(self.path / name)

    def watched(self, *, last: Snapshot | None = None, **addresses: str) -> AbstractAsyncContextManager[object]:
        """Watch it for the time of a block. Names resolve to `addresses`, all others do not."""
        settings = FileSource(path=self.path)
        return running(watch("file", settings, self.seen, last=last, poll=0.02, lookup=Resolver(**addresses)))

    def problems(self) -> list[str]:
        """What is wrong now, without the folder."""
        said = [f"{problem.where}: {problem.what}; {problem.hint}" for problem in self.seen.last.problems]
        return [problem.replace(f"{self.path}/", "") for problem in said]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "services.d")


async def test_every_file_of_the_folder_is_read(folder: Folder) -> None:
    folder.write("b.yml", GOOD)
    folder.write("a.yaml", "services: {cache: {tcp: ':6379', endpoints: ['10.0.0.9:6379']}}")
    folder.write("notes.txt", "not: [yaml")
    folder.write(".hidden.yaml", "not: [yaml")
    (folder.path / "folder.yaml").mkdir()
    async with folder.watched():
        await folder.seen.until(lambda seen: seen.all)
    assert list(folder.seen.services) == ["cache", "db", "web"]
    assert folder.seen.last.problems == ()
    assert folder.seen.last.stale == ""


async def test_a_single_file_works_too(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "d")
    folder.write("a.yaml", GOOD)
    folder.path = folder.path / "a.yaml"
    async with folder.watched():
        await folder.seen.until(lambda seen: "db" in seen.services)


async def test_a_changed_file_is_found_by_its_content(folder: Folder) -> None:
    """Size and time stay the same: only the content tells."""
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: "10.0.0.5:5432" in seen.endpoints("db"))
        web, before = folder.seen.services["web"], (folder.path / "a.yaml").stat()
        (folder.path / "new").write_text(dedent(GOOD.replace("10.0.0.5", "10.0.0.6")))
        os.utime(folder.path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (folder.path / "new").rename(folder.path / "a.yaml")
        await folder.seen.until(lambda seen: "10.0.0.6:5432" in seen.endpoints("db"))
        assert folder.seen.services["web"] is web, "what did not change is the identical object"


async def test_nothing_is_published_while_nothing_changes(folder: Folder) -> None:
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: seen.all)
        folder.write("a.yaml", GOOD)
        folder.write("b.yaml", "services: {x: {endpoints: []}}")
        await folder.seen.until(lambda seen: "x" in seen.services)
    assert len(folder.seen.all) == 2


async def test_new_and_removed_files_bring_and_take_their_services(folder: Folder) -> None:
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: "db" in seen.services)
        folder.write("b.yaml", "services: {x: {endpoints: []}}")
        await folder.seen.until(lambda seen: {"db", "web", "x"} == seen.services.keys())
        (folder.path / "a.yaml").unlink()
        await folder.seen.until(lambda seen: {"x"} == seen.services.keys())


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (
            "services:\n  db: {tcp: ':5432', endpoints: [10.0.0.5:5432}\n",
            "a.yaml:2:47: not valid YAML: expected ',' or ']', but got '}'; is a comma, a closing quote or a bracket"
            " missing?; the last good version stays in use",
        ),
        ("", "a.yaml: is empty; delete the file if that is meant; the last good version stays in use"),
        (
            "service: {}",
            "a.yaml:1:1: expected `services:` with the services beneath it, each with its name; the last good version"
            " stays in use",
        ),
    ],
)
async def test_a_broken_file_keeps_its_last_good_version(folder: Folder, broken: str, problem: str) -> None:
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: "db" in seen.services)
        good = folder.seen.last.services
        folder.write("a.yaml", broken)
        folder.write("b.yaml", "services: {x: {endpoints: []}}")
        await folder.seen.until(lambda seen: seen.last.problems and "x" in seen.services)
        assert folder.problems() == [problem]
        assert folder.seen.last.services[:2] == good
        folder.write("a.yaml", GOOD.replace("10.0.0.5", "10.0.0.6"))
        await folder.seen.until(lambda seen: not seen.last.problems)
        assert "10.0.0.6:5432" in folder.seen.endpoints("db")


async def test_a_wrong_service_keeps_its_last_good_version_and_the_others_change(folder: Folder) -> None:
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: "db" in seen.services)
        db = folder.seen.services["db"]
        folder.write("a.yaml", GOOD.replace("5432}", "5432, weight: 999}").replace('tcp: ":5432"', "tpc: ':1'")
                     .replace("10.0.0.2", "10.0.0.3"))  # fmt: skip
        await folder.seen.until(lambda seen: seen.last.problems)
        assert folder.problems() == [
            'a.yaml:3:8: services.db.tpc: unknown key; did you mean "tcp"?; the last good version stays in use'
        ]
        assert folder.seen.services["db"] is db
        assert "10.0.0.3:80" in folder.seen.endpoints("web")


async def test_a_service_that_was_never_right_is_left_out(folder: Folder) -> None:
    folder.write("a.yaml", GOOD.replace('":5432"', '"x"'))
    async with folder.watched():
        await folder.seen.until(lambda seen: "web" in seen.services)
    assert list(folder.seen.services) == ["web"]
    assert len(folder.problems()) == 1
    assert folder.problems()[0].startswith("a.yaml:3:")


async def test_a_service_written_twice_counts_where_it_comes_first(folder: Folder) -> None:
    folder.write("a.yaml", "services: {x: {endpoints: ['10.0.0.1:1']}}")
    folder.write("b.yaml", "services: {x: {endpoints: ['10.0.0.2:1']}}")
    async with folder.watched():
        await folder.seen.until(lambda seen: seen.last.problems)
    assert list(folder.seen.endpoints("x")) == ["10.0.0.1:1"]
    assert (
        folder.seen.last.problems[0].what == f"service x is written in {folder.path}/a.yaml:1:12 already, which counts"
    )


async def test_services_with_from_belong_into_the_configuration(folder: Folder) -> None:
    folder.write("a.yaml", "services: {x: {from: {image: y}}}")
    async with folder.watched():
        await folder.seen.until(lambda seen: seen.last.problems)
    assert folder.problems() == [
        "a.yaml:1:16: services.x.from: a file of the file source holds fixed `endpoints` only; write services with"
        " `from` into longshore.yaml"
    ]


async def test_a_folder_that_is_gone_is_stale_not_empty(folder: Folder) -> None:
    folder.write("a.yaml", GOOD)
    async with folder.watched():
        await folder.seen.until(lambda seen: "db" in seen.services)
        services = folder.seen.last.services
        folder.path.rename(folder.path.with_name("away"))
        await folder.seen.until(lambda seen: seen.last.stale)
        assert folder.seen.last.stale == f"{folder.path} does not exist"
        assert folder.seen.last.services == services
        folder.path.with_name("away").rename(folder.path)
        await folder.seen.until(lambda seen: not seen.last.stale)
        assert folder.seen.last.services == services
        assert folder.seen.last.problems == ()


@pytest.fixture
async def last(tmp_path: Path) -> Callable[[str], Awaitable[Snapshot]]:
    """The snapshot that an earlier run of longshore left of a text."""

    async def run(text: str) -> Snapshot:
        earlier = Folder(tmp_path / "services.d")
        earlier.write("a.yaml", text)
        async with earlier.watched(vm_test="10.0.0.7"):
            await earlier.seen.until(lambda seen: all(service.endpoints for service in seen.last.services))
        return earlier.seen.last

    return run


async def test_after_a_restart_a_broken_file_is_stood_in_for_by_the_last_run(
    folder: Folder, last: Callable[[str], Awaitable[Snapshot]]
) -> None:
    before = await last(GOOD)
    folder.write("a.yaml", "broken: [")
    async with folder.watched(last=before):
        await folder.seen.until(lambda seen: seen.last.problems)
        assert folder.seen.last.services == before.services
        folder.write("a.yaml", GOOD.replace("web:", "shop:"))
        await folder.seen.until(lambda seen: not seen.last.problems)
        assert list(folder.seen.services) == ["db", "shop"]


async def test_after_a_restart_a_wrong_service_is_stood_in_for_and_a_removed_one_is_not(
    folder: Folder, last: Callable[[str], Awaitable[Snapshot]]
) -> None:
    before = await last(GOOD)
    folder.write("a.yaml", "services: {web: {endpoints: ['nonsense']}}")
    async with folder.watched(last=before):
        await folder.seen.until(lambda seen: seen.last.problems)
    assert folder.seen.last.services == tuple(service for service in before.services if service.name == "web")


async def test_after_a_restart_without_the_folder_the_last_run_holds(
    folder: Folder, last: Callable[[str], Awaitable[Snapshot]]
) -> None:
    before = await last(GOOD)
    folder.path.rename(folder.path.with_name("away"))
    async with folder.watched(last=before):
        await folder.seen.until(lambda seen: seen.all)
    assert folder.seen.last.services == before.services
    assert folder.seen.last.stale


async def test_after_a_restart_names_keep_their_addresses(
    folder: Folder, last: Callable[[str], Awaitable[Snapshot]]
) -> None:
    before = await last("services: {x: {endpoints: ['vm.test:1']}}")
    async with folder.watched(last=before):
        await folder.seen.until(lambda seen: seen.last.problems)
        assert all(snapshot.services[0].endpoints[0].address == "10.0.0.7" for snapshot in folder.seen.all)


async def test_a_name_that_does_not_resolve_stops_nothing(folder: Folder) -> None:
    folder.write("a.yaml", "services: {x: {endpoints: ['nope.test:1', '10.0.0.1:1', 'vm.test:1']}}")
    async with folder.watched(vm_test="10.0.0.7"):
        await folder.seen.until(lambda seen: len(seen.endpoints("x")) == 2 and seen.last.problems)
    assert list(folder.seen.endpoints("x")) == ["10.0.0.1:1", "10.0.0.7:1"]
    assert folder.problems() == [
        "a.yaml:1:28: nope.test does not resolve: Name or service not known; nothing is sent there until it does"
    ]
