"""`from-toggle` in a running balancer: a document in S3 moves all traffic from one origin to another and back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.amazon import KEY, REGION, SECRET, Amazon
from tests.lab.balancer import Balancer
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.marathon import Marathon
from tests.lab.waiting import until
from tests.lab.web import Web

pytestmark = pytest.mark.system
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
DOCUMENT = "/toggles/web.yaml"


def config(marathon: Marathon, amazon: Amazon) -> dict[str, Any]:
    items = [{"as": name, "source": "apps", "app": f"/{name}"} for name in ("primary", "next")]
    toggle = {"url": f"s3:/{DOCUMENT}", "interval": "1s", "endpoint": amazon.url, "region": REGION}
    return {
        "sources": {"apps": {"type": "marathon", "url": marathon.url}},
        "services": {"web": {"from": items, "from-toggle": toggle, "host": "a.test", "check-interval": "200ms"}},
    }


def until_by(b: Balancer, *names: str) -> None:
    """Wait until exactly these answer."""
    until(lambda: {b.request("a.test").who for _ in range(8)} == set(names), what=f"{names} answer")


@oldest_and_newest
def test_no_request_is_lost_as_a_document_moves_the_traffic(
    own_network: None, balance: Callable[..., Balancer], series: str
) -> None:
    """There and back; a document that cannot be read, or names nobody, changes nothing, also over a restart."""
    with Marathon() as marathon, Amazon() as amazon, ExitStack() as stack:
        for app in ("primary", "next"):
            for number in (1, 2):
                web = stack.enter_context(Web(f"{app}-{number}"))
                marathon.run(f"/{app}", "127.0.0.1", web.port)
        b = balance(series=series, config=config(marathon, amazon), env=KEYS)
        until_by(b, "primary-1", "primary-2")
        b.until(lambda status: "has no such object" in str(status["problems"]), "the missing document is said")
        with Load(port=b.port, host="a.test", rate=80) as load:
            load.more(20)
            amazon.objects[DOCUMENT] = b"primary: 0\nnext: 7\n"
            until_by(b, "next-1", "next-2")
            b.until(lambda status: not status["problems"], "nothing is wrong")
            load.more(20)
            amazon.objects[DOCUMENT] = b"primary: [\n"
            b.until(lambda status: "not valid YAML" in str(status["problems"]), "the broken document is said")
            b.kill9()
            b.start()
            until_by(b, "next-1", "next-2")
            load.more(20)
            amazon.objects[DOCUMENT] = b"elsewhere: 1\n"
            b.until(lambda status: '"elsewhere", which is no item' in str(status["problems"]), "the name is said")
            until_by(b, "next-1", "next-2")
            amazon.objects[DOCUMENT] = b"primary: 1\n"
            until_by(b, "primary-1", "primary-2")
            load.more(20)
        assert load.report.lost == 0, load.report
        assert not b.status()["problems"]
        assert b.reloads == 0


def test_what_is_not_chosen_is_explained(own_network: None, balance: Callable[..., Balancer]) -> None:
    with Marathon() as marathon, Amazon() as amazon, Web("primary") as primary, Web("next") as following:
        marathon.run("/primary", "127.0.0.1", primary.port)
        marathon.run("/next", "127.0.0.1", following.port)
        amazon.objects[DOCUMENT] = b"next: 1\n"
        b = balance(config=config(marathon, amazon), env=KEYS)
        until_by(b, "next")
        endpoints = {each["port"]: each for each in b.service("web")["endpoints"]}
        assert endpoints[primary.port]["reason"].startswith("from[0] does not count now")
        assert endpoints[following.port]["state"] == "up"
        checked = b.command("check", "--config", str(b.config))
        assert f"note: from-toggle s3:/{DOCUMENT}: is not read" in checked.stdout
