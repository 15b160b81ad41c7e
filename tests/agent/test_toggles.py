"""`from-toggle`: which items count, what changes it, what does not, and what is remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from longshore.agent.connect_origins import compositions
from longshore.agent.toggles import KEY, Toggles
from longshore.clients.faults import Fault
from longshore.config.load import Loaded, load
from longshore.config.toggle import FromToggle
from tests.lab.waiting import eventually

FILE = "file:///etc/toggle.yaml"
ITEMS = [{"as": "primary", "label": "a"}, {"as": "next", "label": "b"}, {"as": "next", "label": "c"}]


class Toggling:
    """Toggles of which a test says what is read and drawn."""

    def __init__(self) -> None:
        self.content: dict[str, bytes | Fault] = {}
        self.number = 0
        self.reads = 0
        self.draws = list[int]()
        self.news = list[Collection[str]]()
        self.toggles: Toggles

    async def fetch(self, toggle: FromToggle) -> bytes:
        self.reads += 1
        found = self.content.get(toggle.url, b"")
        if isinstance(found, Fault):
            raise found
        return found

    def draw(self, below: int) -> int:
        self.draws.append(below)
        return min(self.number, below - 1)

    def counted(self, loaded: Loaded) -> dict[str, list[int]]:
        """The items that count, by service."""
        return {how.name: list(self.toggles.counts(how.name, how.items, ())) for how in compositions(loaded)}

    async def until(self, loaded: Loaded, **counted: list[int]) -> None:
        await eventually(lambda: self.counted(loaded) == counted, what=f"{counted} count")

    async def read_again(self) -> None:
        """Wait until everything was looked at once more."""
        before = self.reads
        await eventually(lambda: self.reads >= before + 2, what="the document is read again")


@asynccontextmanager
async def toggling(loaded: Loaded, saved: Any = None, **content: bytes | Fault) -> AsyncIterator[Toggling]:
    found = Toggling()
    found.content = {FILE: content.get("file", b"")}
    found.toggles = Toggles(found.fetch, found.news.append, saved, found.draw)
    found.toggles.take(loaded)
    try:
        yield found
    finally:
        await found.toggles.close()


def loaded(folder: Path, services: dict[str, Any]) -> Loaded:
    path = folder / "longshore.yaml"
    path.write_text(json.dumps({"sources": {"docker": {}}, "services": services}))
    found = load(path, {})
    assert found.valid, [str(problem) for problem in found.problems]
    for service in found.valid.services.values():
        assert service.from_toggle
        object.__setattr__(service.from_toggle, "interval", 0.01)  # less than an operator may say
    return found


def service(url: str = FILE, items: list[dict[str, str]] = ITEMS) -> dict[str, Any]:
    return {"from": items, "from-toggle": {"url": url}}


async def test_items_of_the_name_that_was_drawn_count(tmp_path: Path) -> None:
    """All of them, if there are several of that name. Before anything is read, `primary` does."""
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, file=Fault("away", "wait")) as found:
        assert found.counted(config) == {"web": [0]}
        found.content[FILE] = b"primary: 1\nnext: 3\n"
        found.number = 2
        await found.until(config, web=[1, 2])
        assert found.draws == [4]
        assert ["web"] in [list(names) for names in found.news]


async def test_there_is_a_new_draw_only_when_the_weights_change(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, file=b"primary: 1\nnext: 1") as found:
        await eventually(lambda: found.draws, what="a draw")
        found.number = 1
        found.content[FILE] = b"# the same, written otherwise\n{next: 1, primary: 1}"
        await found.read_again()
        assert found.draws == [2]
        assert found.counted(config) == {"web": [0]}
        found.content[FILE] = b"{primary: 1, next: 2}"
        await found.until(config, web=[1, 2])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a mapping of names"),
        (b"primary: [", "not valid YAML"),
        (b"primary: 0\nnext: 0", "gives nobody a weight"),
        (b"primary: 1\nprimary: 2", "is said twice"),
        (b"\xff", "is not UTF-8"),
        (Fault("S3 in eu-west-1 has no such object", "check the url"), "has no such object"),
    ],
)
async def test_what_cannot_be_understood_changes_nothing(tmp_path: Path, content: bytes | Fault, what: str) -> None:
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, file=b"next: 1") as found:
        await found.until(config, web=[1, 2])
        found.content[FILE] = content
        await eventually(lambda: found.toggles.problems, what="a problem")
        [problem] = found.toggles.problems
        assert what in problem.what
        assert problem.where == f"from-toggle {FILE}"
        assert problem.hint.startswith("next goes on for web")
        assert problem.service == "web"
        assert found.counted(config) == {"web": [1, 2]}
        found.content[FILE] = b"next: 1"
        await eventually(lambda: not found.toggles.problems, what="no problem")
        assert found.draws == [1]


async def test_a_name_that_no_item_has_changes_nothing(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, file=b"nxet: 1") as found:
        await eventually(lambda: found.toggles.problems, what="a problem")
        [problem] = found.toggles.problems
        assert problem.what == 'says "nxet", which is no item of service web'
        assert problem.hint == "primary goes on; its items are named (`as`) primary, next"
        assert found.counted(config) == {"web": [0]}


async def test_services_with_the_same_toggle_share_a_draw(tmp_path: Path) -> None:
    other = "file:///other"
    config = loaded(tmp_path, {"a": service(), "b": service(), "c": service(other)})
    async with toggling(config, file=b"primary: 1\nnext: 1") as found:
        found.number = 1
        found.content[other] = b"primary: 1"
        await found.until(config, a=[1, 2], b=[1, 2], c=[0])
        assert sorted(found.draws) == [1, 2]


async def test_a_choice_outlives_a_restart(tmp_path: Path) -> None:
    """Also while the document cannot be read; and the same weights are no reason for another draw."""
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, file=b"primary: 1\nnext: 1") as found:
        found.number = 1
        await found.until(config, web=[1, 2])
        saved = json.loads(json.dumps(found.toggles.told()))[KEY]
    async with toggling(config, saved, file=Fault("away")) as found:
        assert found.counted(config) == {"web": [1, 2]}
        await eventually(lambda: found.toggles.problems, what="a problem")
        found.content[FILE] = b"primary: 1\nnext: 1"
        await eventually(lambda: not found.toggles.problems, what="no problem")
        assert not found.draws
        assert found.counted(config) == {"web": [1, 2]}


@pytest.mark.parametrize("saved", [{}, [], {"drawn": {FILE: {}}, "chosen": {"web": "gone"}}, {"drawn": {FILE: 5}}])
async def test_what_was_remembered_may_be_of_no_use(tmp_path: Path, saved: Any) -> None:
    config = loaded(tmp_path, {"web": service()})
    async with toggling(config, saved, file=b"next: 1") as found:
        assert found.counted(config) == {"web": [0]}
        await found.until(config, web=[1, 2])


async def test_another_configuration(tmp_path: Path) -> None:
    """Services come and go; those that stay keep what was drawn, those that join take part in it."""
    before = loaded(tmp_path, {"a": service(), "gone": service("file:///other")})
    async with toggling(before, file=b"primary: 1\nnext: 1") as found:
        found.number = 1
        await found.until(before, a=[1, 2], gone=[0])
        after = loaded(tmp_path, {"a": service(), "b": service(items=ITEMS[:2])})
        found.toggles.take(after)
        assert found.counted(after) == {"a": [1, 2], "b": [1]}
        assert found.draws == [2]
        assert set(found.toggles.told()[KEY]["chosen"]) == {"a", "b"}
        await asyncio.sleep(0)


async def test_without_toggles_everything_counts(tmp_path: Path) -> None:
    path = tmp_path / "longshore.yaml"
    path.write_text(json.dumps({"services": {"web": {"from": ITEMS}}}))
    config = load(path, {})
    async with toggling(config) as found:
        assert found.counted(config) == {"web": [0, 1, 2]}
        assert found.toggles.told() == {}
