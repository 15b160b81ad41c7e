"""What all these tests need: an etcd, and registrars of an engine that write into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.engine import Engine
from tests.lab.etcd import Etcd
from tests.lab.registrar import Registrar

Register = Callable[..., Registrar]


@pytest.fixture(scope="module")
def shared(own_network: None) -> Iterator[Etcd]:
    """One etcd for all tests of a file."""
    with Etcd("3.5") as cluster:
        yield cluster


@pytest.fixture
def etcd(shared: Etcd) -> Iterator[Etcd]:
    """An etcd without keys and leases, that runs."""
    yield shared
    for member in {*range(shared.size)}.difference(shared.running):
        shared.start(member)
    for lease in shared.leases():
        shared.ask("lease/revoke", {"ID": lease})
    shared.clear()


@pytest.fixture
def register(etcd: Etcd, request: pytest.FixtureRequest) -> Iterator[Register]:
    """A factory of running registrars (arguments of `Registrar`) of the engine that write into the etcd."""
    made = list[Registrar]()

    def start(**more: Any) -> Registrar:
        engine: Engine | None = None if "engine" in more else request.getfixturevalue("engine")
        made.append(Registrar(**{"engine": engine, "sources": {"etcd": {"endpoints": etcd.endpoints}}, **more}))
        stack.callback(made[-1].close)
        made[-1].start(ready=bool(etcd.running))
        return made[-1]

    with ExitStack() as stack:
        yield start
        for registrar in made:  # shown when the test failed
            print(f"--- log of a registrar\n{registrar.log_text()}")  # noqa: T201
