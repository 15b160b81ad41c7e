"""Synapse's methods that ask foreign APIs, in its own words, on the oldest and the newest HAProxy.

The APIs answer as their documentation says (`tests.lab.marathon`, `tests.lab.amazon`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.lab.amazon import KEY, REGION, SECRET, Amazon
from tests.lab.load import Load
from tests.lab.marathon import Marathon
from tests.lab.web import Web
from tests.system.smartstack import SERIES, Synapse, answered, synapse, webs

__all__ = ["synapse", "webs"]  # fixtures
pytestmark = pytest.mark.system
DOCUMENT = "/toggles/web.yaml"


@pytest.fixture
def marathon(own_network: None) -> Iterator[Marathon]:
    with Marathon() as running:
        yield running


@pytest.fixture
def amazon(own_network: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    """An AWS that the environment names, with whom it asks as."""
    with Amazon() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield running


def tasks(marathon: Marathon, app: str) -> dict[str, object]:
    return {"method": "marathon", "marathon_api_url": marathon.url, "application_name": app, "check_interval": 1}


# A2 discovery marathon: marathon_api_url, application_name
@pytest.mark.parametrize("series", SERIES)
def test_tasks_of_marathon(synapse: Synapse, marathon: Marathon, webs: Callable[[str], Web], series: str) -> None:
    one, two = webs("one"), webs("two")
    marathon.run("/prod/web", "localhost", one.port)
    balancer = synapse.up(synapse.web(tasks(marathon, "prod/web")), series)
    answered(balancer, {"one"})
    with Load(port=synapse.port, rate=40) as load:
        marathon.run("/prod/web", "localhost", two.port)
        answered(balancer, {"one", "two"})
        load.more(10)
        marathon.kill("/prod/web", one.port)
        answered(balancer, {"two"})
        load.more(10)
    assert load.report.lost == 0, load.report
    assert balancer.reloads == 0


# A2 discovery ec2tag: tag_name, tag_value
@pytest.mark.parametrize("series", SERIES)
def test_machines_with_a_tag(synapse: Synapse, amazon: Amazon, webs: Callable[[str], Web], series: str) -> None:
    web = webs("one")
    amazon.machine("i-1", "127.0.0.1", Role="web")
    amazon.machine("i-2", "127.0.0.9", Role="other")
    found = {"method": "ec2tag", "tag_name": "Role", "tag_value": "web", "check_interval": 1}
    balancer = synapse.up(synapse.web(found, backend_port_override=str(web.port)), series)
    answered(balancer, {"one"})
    balancer.serves("x", 1)
    with Load(port=synapse.port, rate=40) as load:
        load.more(10)
        amazon.mood = "breaks off"
        balancer.until(lambda status: status["sources"][0]["state"] == "stale", "the source is stale")
        load.more(10)
    assert load.report.lost == 0, load.report


# A2 discovery multi: s3_toggle
@pytest.mark.parametrize("series", SERIES)
def test_a_document_in_s3_moves_the_traffic(
    synapse: Synapse, marathon: Marathon, amazon: Amazon, webs: Callable[[str], Web], series: str
) -> None:
    for name in ("old", "new"):
        marathon.run(f"/{name}", "localhost", webs(name).port)
    amazon.objects[DOCUMENT] = b"old: 1\nnew: 0\n"
    resolver = {"method": "s3_toggle", "s3_url": f"s3:/{DOCUMENT}", "s3_polling_interval_seconds": 1}
    watchers = {name: tasks(marathon, name) for name in ("old", "new")}
    balancer = synapse.up(synapse.web({"method": "multi", "watchers": watchers, "resolver": resolver}), series)
    answered(balancer, {"old"})
    with Load(port=synapse.port, rate=40) as load:
        load.more(10)
        amazon.objects[DOCUMENT] = b"old: 0\nnew: 1\n"
        answered(balancer, {"new"})
        load.more(10)
    assert load.report.lost == 0, load.report
