"""The sources `marathon` and `ec2` in a running balancer: a real HAProxy, real web services, an API that changes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab import ports
from tests.lab.amazon import KEY, REGION, SECRET, Amazon, Metadata
from tests.lab.api import Api, Call, Reply
from tests.lab.balancer import Balancer
from tests.lab.haproxy import oldest_and_newest
from tests.lab.load import Load
from tests.lab.marathon import Marathon, health
from tests.lab.web import Web

pytestmark = pytest.mark.system
SERVED = {"host": "a.test", "check-interval": "200ms"}


@pytest.fixture
def webs(own_network: None) -> Iterator[Callable[..., Web]]:
    with ExitStack() as stack:
        yield lambda name, **options: stack.enter_context(Web(name, **options))


class Machine(Api):
    """A web service at an address of its own."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(f"127.0.0.{number}", port)
        self._name = f"web-{number}"

    def reply(self, call: Call) -> Reply:
        return Reply(f"host={self._name}\n".encode(), headers={"X-Who": self._name})


@oldest_and_newest
def test_no_request_is_lost_as_marathon_changes(
    webs: Callable[..., Web], balance: Callable[..., Balancer], series: str
) -> None:
    """Tasks come, get ill, are ended; Marathon fails, with the balancer restarted meanwhile, and comes back."""
    with Marathon(user="us", password="x") as marathon:
        one, two, three = (webs(f"web-{number}") for number in (1, 2, 3))
        marathon.run("/prod/web", "localhost", one.port, 1)
        marathon.run("/prod/web", "127.0.0.1", two.port)
        source = {"type": "marathon", "url": marathon.url}
        services = {
            "web": {"from": {"source": "apps", "app": "/prod/web"}, **SERVED},
            "wrong": {"from": {"source": "apps", "app": "/prod/wbe"}},
        }
        b = balance(series=series, config={"sources": {"apps": source}, "services": services})
        b.until(lambda status: "asks for a user" in str(status["problems"]), "the missing login is said")
        password = b.folder / "password"
        password.write_text("x\n")
        b.configure({"sources": {"apps": source | {"username": "us", "password-file": str(password)}}})
        checked = b.command("check", "--config", str(b.config))
        assert (checked.returncode, checked.stderr) == (0, "")
        assert "source apps: its API is not asked" in checked.stdout
        b.send(signal.SIGHUP)
        b.until_up("web", 2)
        with Load(port=b.port, host="a.test", rate=60) as load:
            load.more(20)
            marathon.run("/prod/web", "127.0.0.1", three.port)
            b.until_up("web", 3)
            load.more(20)
            marathon.change("/prod/web", one.port, healthCheckResults=health(False))
            b.until_up("web", 2)
            assert two.process
            marathon.change("/prod/web", two.port, state="TASK_KILLING")
            b.until_up("web", 1)
            two.process.terminate()
            marathon.kill("/prod/web", two.port)
            load.more(20)
            marathon.mood = 503
            b.until(lambda status: status["sources"][0]["state"] == "stale", "the source is stale")
            b.kill9()
            b.start()
            b.until_up("web", 1)
            load.more(20)
            marathon.mood = ""
            marathon.change("/prod/web", one.port, healthCheckResults=health(True))
            b.until_up("web", 2)
            load.more(20)
        assert load.report.lost == 0, load.report
        assert b.serves("a.test", 2) == {"web-1", "web-3"}
        said = [(problem["service"], problem["what"]) for problem in b.status()["problems"]]
        assert said == [("wrong", "Marathon knows no such app")]
        assert b.reloads == 0


@oldest_and_newest
def test_no_request_is_lost_as_machines_come_and_go(
    own_network: None, balance: Callable[..., Balancer], series: str
) -> None:
    """EC2 answers in pages, and to the machine's own role; then not at all, and then again."""
    with Amazon(page=1, token="t") as amazon, Metadata(token="t") as metadata, ExitStack() as stack:
        port = ports.free()
        one, _, _ = (stack.enter_context(Machine(number, port)) for number in (1, 2, 3))
        amazon.machine("i-1", "127.0.0.1", Name="web")
        amazon.machine("i-2", "127.0.0.2", Name="web")
        amazon.machine("i-9", "127.0.0.9", Name="other")
        config = {
            "sources": {"aws": {"type": "ec2", "endpoint": amazon.url, "interval": "1s"}},
            "services": {"web": {"from": {"source": "aws", "label": "Name=web", "port": port}, **SERVED}},
        }
        b = balance(series=series, config=config, env={"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata.url})
        b.until_up("web", 2)
        with Load(port=b.port, host="a.test", rate=60) as load:
            load.more(20)
            amazon.machine("i-3", "127.0.0.3", Name="web")
            b.until_up("web", 3)
            load.more(20)
            one.__exit__()
            amazon.machine("i-1", "127.0.0.1", "shutting-down", Name="web")
            b.until_up("web", 2)
            amazon.mood = "breaks off"
            b.until(lambda status: status["sources"][0]["state"] == "stale", "the source is stale")
            b.kill9()
            b.start()
            b.until_up("web", 2)
            load.more(20)
            amazon.mood = ""
            amazon.machine("i-2", "127.0.0.2", "terminated", Name="web")
            b.until_up("web", 1)
            load.more(20)
        assert load.report.lost == 0, load.report
        assert b.serves("a.test", 1) == {"web-3"}
        assert not b.status()["problems"]
        assert b.reloads == 0


def test_wrong_credentials_are_said_with_a_cure(own_network: None, balance: Callable[..., Balancer]) -> None:
    with Amazon() as amazon:
        config = {
            "sources": {"aws": {"type": "ec2", "endpoint": amazon.url, "region": REGION, "interval": "1s"}},
            "services": {"web": {"from": {"source": "aws", "label": "Name=web", "port": 80}}},
        }
        b = balance(config=config, env={"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET[1:]})
        b.until(lambda status: status["problems"], "the problem is said")
        listed = b.command("status").stdout
        assert f"says that the secret does not belong to the access key {KEY}" in listed
        assert "AWS_SECRET_ACCESS_KEY" in listed
        assert SECRET[1:] not in b.log_text() + listed + str(b.status())
