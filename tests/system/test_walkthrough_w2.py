"""Walk-through 2: an application in containers, Synapse's configuration as it was published, and no Synapse.

The file is examples/synapse/synapse.conf.json. The engine listens on TCP, port 4243, as engines did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.container import Container
from tests.lab.engine import Engine
from tests.lab.foreign import ForeignBalancer
from tests.lab.load import Load
from tests.lab.waiting import until

pytestmark = pytest.mark.system
CONFIGURATION = Path(__file__).parents[2] / "examples" / "synapse" / "synapse.conf.json"
IMAGE = "local/nodeapp"
PORT = 8080


@pytest.fixture(scope="module")
def machine(own_network: None) -> Iterator[Engine]:
    """The machine of the walk-through: an engine with the application's image, an API on TCP, and HAProxy's folder."""
    Path("/var/lib/haproxy").mkdir(parents=True, exist_ok=True)
    with Engine(hosts=["tcp://127.0.0.1:4243"], iptables=True) as engine:
        engine.load(f"{IMAGE}:latest", 'ENV SAY="Hello from"')
        yield engine


@pytest.fixture
def engine(machine: Engine) -> Iterator[Engine]:
    yield machine
    machine.reset()


@pytest.fixture
def walk(engine: Engine) -> Iterator[Callable[[str], ForeignBalancer]]:
    """Start the balancer with Synapse's file."""
    started: list[ForeignBalancer] = []

    def start(series: str) -> ForeignBalancer:
        started.append(ForeignBalancer("--synapse", CONFIGURATION, series=series, port=PORT))
        started[-1].start()
        return started[-1]

    yield start
    for balancer in started:
        print(balancer.log_text())  # noqa: T201 - shown when the test failed
        balancer.close()


def run(engine: Engine) -> Container:
    """Do `docker run -d -p 8000 local/nodeapp /run.sh`."""
    return engine.run(image=IMAGE, args=("-p", "8000"), command=("/run.sh",))


def answered(balancer: ForeignBalancer, *containers: Container) -> None:
    """Wait until `curl localhost:8080` is answered by exactly these."""
    wanted = {f"Hello from {each.short}" for each in containers}

    def met() -> bool:
        answers = [balancer.request("localhost") for _ in range(4 * len(containers))]
        assert {answer.status for answer in answers} == {200}
        return {answer.text.strip() for answer in answers} == wanted

    until(met, what=f"{len(containers)} answer in turn")


# A2 trap: untagged images never match (the image is run by its name alone)
@pytest.mark.parametrize("series", ["2.6", "3.0", "3.2", "3.4"])
def test_the_walk(engine: Engine, walk: Callable[[str], ForeignBalancer], series: str) -> None:
    first = run(engine)
    balancer = walk(series)
    answered(balancer, first)
    worker = balancer.worker

    with Load(port=PORT, rate=40) as load:
        load.more(10)
        second = run(engine)
        answered(balancer, first, second)
        load.more(20)
        first.stop()
        answered(balancer, second)
        load.more(20)
    assert load.report.lost == 0, load.report

    more = [run(engine) for _ in range(3)]
    answered(balancer, second, *more)
    for container in (second, *more):
        container.stop()
    until(lambda: balancer.request("localhost").status == 503, what="nobody is left")
    again = run(engine)
    answered(balancer, again)

    assert balancer.worker == worker
    assert balancer.reloads == 0
    balancer.until(lambda status: not status["problems"], "nothing is left to say")


def test_a_container_without_a_published_port_is_reached_too(
    engine: Engine, walk: Callable[[str], ForeignBalancer]
) -> None:
    """Synapse needed `-p`; longshore reaches the container on the engine's own network."""
    container = engine.run(image=IMAGE, labels={"anything": "else"})
    answered(walk("3.4"), container)
