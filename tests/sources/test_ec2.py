"""The source `ec2`: which machines become endpoints, what EC2 is asked, and what is kept when it cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.clients.aws import Patience
from longshore.config.ec2 import Ec2Source
from longshore.core.conditions import read as condition
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Snapshot
from longshore.core.registered import Options, Pick
from longshore.core.spec import Spec
from longshore.sources.ec2 import Ec2Adapter, filters_of
from tests.lab.amazon import KEY, REGION, SECRET, Amazon
from tests.sources.registry_watching import Watching, watching

KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
SOON = Patience(connect=1.0, answer=1.0)


def pick(name: str, port: int, *labels: str) -> Pick:
    return Pick(name, Spec(), labels=tuple(map(condition, labels)), port=port)


WEB = pick("web", 8080, "Name=web")


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with Amazon() as api:
        yield api


@contextlib.asynccontextmanager
async def seen(amazon: Amazon, *picks: Pick, environ: Any = KEYS, **more: Any) -> AsyncIterator[Watching]:
    settings = {"region": REGION, "endpoint": amazon.url, **more}
    source = Ec2Source.model_validate(settings).model_copy(update={"interval": 0.02})
    adapter = Ec2Adapter(source, [pick.labels for pick in picks], environ, SOON)
    options = Options("aws", LAYOUTS["native"], "/", "named", picks=picks)
    async with watching(adapter, options) as found:
        yield found


def places(snapshot: Snapshot) -> dict[str, list[str]]:
    """Where the endpoints of each service are."""
    return {
        service.name: [f"{each.address}:{each.port}" for each in service.endpoints] for service in snapshot.services
    }


async def test_machines_by_their_tags(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web", stage="prod")
    amazon.machine("i-2", "10.0.0.6", Name="web", stage="test")
    amazon.machine("i-3", "10.0.0.7", "pending", Name="web")
    amazon.machine("i-4", "10.0.0.8", Name="db")
    services = (WEB, pick("prod", 81, "Name=web", "stage=prod"), pick("rest", 82, "stage", "Name!=db", "stage!=prod"))
    async with seen(amazon, *services) as watched:
        await watched.until(lambda: len(watched.endpoints) == 4)
        assert places(watched.last) == {
            "prod": ["10.0.0.5:81"],
            "rest": ["10.0.0.6:82"],
            "web": ["10.0.0.5:8080", "10.0.0.6:8080"],
        }
        endpoint = watched.last.services[0].endpoints[0]
        assert (endpoint.id, endpoint.name) == ("i-1", "ip-10-0-0-5.eu-west-1.compute.internal")
        assert (endpoint.zone, endpoint.host) == ("eu-west-1a", "ip-10-0-0-5.eu-west-1.compute.internal")
        amazon.machine("i-1", "10.0.0.5", "shutting-down", Name="web", stage="prod")
        await watched.until(lambda: places(watched.last)["web"] == ["10.0.0.6:8080"])
    assert not watched.last.problems


def test_what_ec2_can_see_to_itself() -> None:
    """The rest, and all of it once more, is compared here: a filter too many would hide machines."""
    assert filters_of(map(condition, ("Name=a*b", "tier", "rack", "x!=y"))) == {
        "tag:Name": ("a\\*b",),
        "tag-key": ("tier",),
    }


async def test_the_same_question_is_asked_once(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web")
    async with seen(amazon, WEB, pick("admin", 9090, "Name=web")) as watched:
        await watched.until(lambda: len(watched.endpoints) == 2)
        before = len(amazon.calls)
        amazon.machine("i-2", "10.0.0.6", Name="web")
        await watched.until(lambda: len(watched.endpoints) == 4)
    assert len({call.body for call in amazon.calls[:before]}) == 1


async def test_tags_speak_as_labels_do(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", **{"Name": "web", "longshore.weight": "50"})
    amazon.machine("i-2", "10.0.0.6", **{"Name": "web", "longshore.enable": "false"})
    amazon.machine("i-3", "10.0.0.7", **{"Name": "web", "longshore.wieght": "50"})
    async with seen(amazon, WEB) as watched:
        await watched.until(lambda: len(watched.endpoints) == 1)
    assert [each.weight for each in watched.last.services[0].endpoints] == [50]
    assert [(each.where, "longshore.wieght" in each.what) for each in watched.last.problems] == [("aws i-3", True)]


async def test_a_machine_without_an_address(amazon: Amazon) -> None:
    amazon.machine("i-1", "", Name="web")
    amazon.machine("i-2", "10.0.0.6", Name="web")
    async with seen(amazon, WEB) as watched:
        await watched.until(lambda: bool(watched.endpoints))
    assert [(each.where, each.what) for each in watched.last.problems] == [("aws i-1", "has no private address")]


@pytest.mark.parametrize("mood", ["silent", "breaks off", "rubbish", 500, 403])
async def test_when_it_fails_the_last_machines_stay(amazon: Amazon, mood: Any) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web")
    async with seen(amazon, WEB) as watched:
        await watched.until(lambda: len(watched.endpoints) == 1)
        amazon.mood = mood
        await watched.until(lambda: bool(watched.last.stale))
        assert places(watched.last) == {"web": ["10.0.0.5:8080"]}
        amazon.mood = ""
        amazon.machine("i-2", "10.0.0.6", Name="web")
        await watched.until(lambda: not watched.last.stale and len(watched.endpoints) == 2)


async def test_a_page_that_is_missing_is_no_loss() -> None:
    """A listing counts as a whole, or not at all."""
    with Amazon(page=2) as amazon:
        for number in range(1, 6):
            amazon.machine(f"i-{number}", f"10.0.0.{number}", Name="web")
        async with seen(amazon, WEB) as watched:
            await watched.until(lambda: len(watched.endpoints) == 5)
            amazon.endless = True
            await watched.until(lambda: "no end" in watched.last.stale)
            assert len(watched.endpoints) == 5


async def test_the_secret_of_a_file(amazon: Amazon, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    amazon.machine("i-1", "10.0.0.5", Name="web")
    more = {"access-key-id": KEY, "secret-access-key-file": str(secret)}
    async with seen(amazon, WEB, environ={}, **more) as watched:
        await watched.until(lambda: "secret: No such file" in watched.last.stale)
        secret.write_text("\n")
        await watched.until(lambda: "secret is empty" in watched.last.stale)
        secret.write_text("wrong\n")
        await watched.until(lambda: "does not belong to the access key" in watched.last.stale)
        secret.write_text(f"{SECRET}\n")
        await watched.until(lambda: len(watched.endpoints) == 1)
    assert not watched.last.stale


async def test_the_secret_itself(amazon: Amazon) -> None:
    amazon.machine("i-1", "10.0.0.5", Name="web")
    async with seen(amazon, WEB, environ={}, **{"access-key-id": KEY, "secret-access-key": SECRET}) as watched:
        await watched.until(lambda: len(watched.endpoints) == 1)


async def test_when_no_service_asks_for_machines_that_is_said(amazon: Amazon) -> None:
    async with seen(amazon) as watched:
        await watched.until(lambda: bool(watched.last.problems))
    assert [problem.what for problem in watched.last.problems] == ["none of them asks for machines"]
    assert not amazon.calls
