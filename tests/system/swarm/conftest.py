"""One real Swarm for all tests of this folder, without services at the start of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.contained import BoxedBalancer, run_agents
from tests.lab.stack import load
from tests.lab.swarm import FRONT, Swarm

TOKEN = "a-token-for-agents"


@pytest.fixture(scope="session")
def _swarm(own_network: None) -> Iterator[Swarm]:
    with Swarm() as swarm:
        yield swarm


@pytest.fixture
def swarm(_swarm: Swarm) -> Iterator[Swarm]:
    """A Swarm of three machines with nothing on it; what the test makes is removed afterwards."""
    yield _swarm
    _swarm.reset()


@pytest.fixture(scope="session")
def images(_swarm: Swarm) -> None:
    """The image of longshore, on every node."""
    load(_swarm)


@pytest.fixture
def balance_swarm(swarm: Swarm) -> Iterator[Callable[..., BoxedBalancer]]:
    """A factory of balancers in containers on the manager, in the overlay network, with the source `swarm`."""
    started = list[BoxedBalancer]()

    def start(**options: Any) -> BoxedBalancer:
        options.setdefault("config", {"sources": {"swarm": {"host": swarm.manager.host}}})
        balancer = BoxedBalancer(swarm.manager, swarm.manager.address, networks=[FRONT], **options)
        started.append(balancer)
        return stack.enter_context(balancer)

    with ExitStack() as stack:
        yield start
        for balancer in started:  # pytest shows it when the test failed
            print(f"--- log of longshore\n{balancer.log_text()}")  # noqa: T201


@pytest.fixture
def balance_agents(swarm: Swarm, balance_swarm: Callable[..., BoxedBalancer]) -> Callable[..., BoxedBalancer]:
    """A factory of balancers without any socket, which hear agents on all machines."""
    run_agents(swarm, TOKEN)

    def start(token: str = TOKEN, **options: Any) -> BoxedBalancer:
        file = swarm.manager.folder.parent / "balancer-token"
        file.write_text(token)
        source = {"dns": "tasks.agent", "token-file": "/token"}
        config = {"sources": {"agents": source}, **options.pop("config", {})}
        return balance_swarm(config=config, socket=False, files={file: "/token"}, **options)

    return start
