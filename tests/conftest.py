"""Fixtures for every test that needs a real engine: one engine per test process, clean for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings

from tests.lab import network
from tests.lab.balancer import Balancer
from tests.lab.engine import Engine

# A CI that fails must fail for what was changed: there, the same examples run each time. Speed is no property here.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@pytest.fixture(scope="session")
def own_network() -> None:
    """Move this test process into a network of its own: its ports, bridges and firewall meet nobody else's."""
    network.isolate()


@pytest.fixture(scope="session")
def _engine(own_network: None) -> Iterator[Engine]:
    with Engine(iptables=True) as engine:
        yield engine


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    """A running engine without containers; what the test makes is removed afterwards."""
    yield _engine
    _engine.reset()


@pytest.fixture
def new_engine(own_network: None) -> Iterator[Callable[..., Engine]]:
    """A factory of started engines (arguments of `Engine`) that end with the test: to stop, kill, configure freely."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Engine(**options))


@pytest.fixture
def balance(own_network: None) -> Iterator[Callable[..., Balancer]]:
    """A factory of running balancers (arguments of `Balancer`) that end with the test, HAProxy included."""
    started = list[Balancer]()

    def start(**options: Any) -> Balancer:
        started.append(Balancer(**options))
        return stack.enter_context(started[-1])

    with ExitStack() as stack:
        yield start
        for balancer in started:  # pytest shows it when the test failed
            print(f"--- log of the longshore on port {balancer.port}\n{balancer.log_text()}")  # noqa: T201
