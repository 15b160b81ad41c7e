"""Names are looked up in the background; the last good address holds."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import pytest

from longshore.sources import names as module
from longshore.sources.names import Names, lookup
from tests.sources.written import PATIENCE, Resolver


async def until(names: Names, condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            names.changed.clear()
            await names.changed.wait()


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.01)


async def test_a_name_gets_its_address() -> None:
    names = Names(lookup=Resolver(a_test="10.0.0.1"))
    names.want(["a.test"])
    await until(names, lambda: names.addresses == {"a.test": "10.0.0.1"})
    assert names.failures == {}
    await names.close()


async def test_a_name_without_an_address_says_why_and_is_tried_again() -> None:
    resolver = Resolver()
    names = Names(lookup=resolver)
    names.want(["a.test"])
    await until(names, lambda: names.failures == {"a.test": "Name or service not known"})
    resolver.addresses["a.test"] = "10.0.0.1"
    await until(names, lambda: names.addresses == {"a.test": "10.0.0.1"} and not names.failures)
    await names.close()


async def test_the_last_good_address_outlives_a_failure() -> None:
    resolver = Resolver(a_test="10.0.0.1")
    names = Names(lookup=resolver, refresh=0.01)
    names.want(["a.test"])
    await until(names, lambda: names.addresses)
    del resolver.addresses["a.test"]
    await until(names, lambda: names.failures)
    assert names.addresses == {"a.test": "10.0.0.1"}
    await names.close()


async def test_an_address_is_kept_for_as_long_as_it_is_among_the_answers() -> None:
    """Round-robin DNS shuffles its answers: that is no change."""
    resolver = Resolver(a_test="10.0.0.1 10.0.0.2")
    names = Names(lookup=resolver, refresh=0.01)
    names.want(["a.test"])
    await until(names, lambda: names.addresses)
    resolver.addresses["a.test"] = "10.0.0.2 10.0.0.1"
    names.changed.clear()
    await resolver.was_asked(3)
    assert names.addresses == {"a.test": "10.0.0.1"}
    assert not names.changed.is_set()
    resolver.addresses["a.test"] = "10.0.0.2"
    await until(names, lambda: names.addresses == {"a.test": "10.0.0.2"})
    await names.close()


async def test_a_look_up_that_hangs_holds_up_no_other() -> None:
    go = threading.Event()

    def hang(host: str) -> tuple[str, ...]:
        if host == "slow.test":
            go.wait(PATIENCE)
        return ("10.0.0.1",)

    names = Names(lookup=hang)
    names.want(["slow.test", "quick.test"])
    await until(names, lambda: "quick.test" in names.addresses)
    assert "slow.test" not in names.addresses
    go.set()
    await until(names, lambda: "slow.test" in names.addresses)
    await names.close()


async def test_closing_does_not_wait_for_a_look_up_that_hangs() -> None:
    go, hangs = threading.Event(), threading.Event()

    def hang(host: str) -> tuple[str, ...]:
        hangs.set()
        go.wait(PATIENCE)
        return ("10.0.0.1",)

    names = Names(lookup=hang)
    names.want(["slow.test"])
    await asyncio.to_thread(hangs.wait, PATIENCE)
    await names.close()
    assert not go.is_set()
    go.set()


async def test_a_name_that_is_not_wanted_any_more_is_not_asked_for() -> None:
    resolver = Resolver(a_test="10.0.0.1", b_test="10.0.0.2")
    names = Names(lookup=resolver, refresh=0.01)
    names.want(["a.test"])
    await until(names, lambda: "a.test" in names.addresses)
    names.want(["b.test"])
    await until(names, lambda: "b.test" in names.addresses)
    await resolver.was_asked(3)
    assert set(await resolver.was_asked(3)) == {"b.test"}
    await names.close()


async def test_what_was_known_before_holds_until_the_first_answer() -> None:
    names = Names(known={"a.test": "10.0.0.9"}, lookup=Resolver())
    names.want(["a.test"])
    await until(names, lambda: names.failures)
    assert names.addresses == {"a.test": "10.0.0.9"}
    await names.close()


def test_the_systems_resolver_prefers_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> list[tuple[object, ...]]:
        found = [(socket.AF_INET6, "fe80::1%eth0"), (socket.AF_INET6, "fd00::1"), (socket.AF_INET, "10.0.0.1")]
        return [(family, socket.SOCK_STREAM, 6, "", (address, 0)) for family, address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert lookup("a.test") == ("10.0.0.1", "fd00::1")
    monkeypatch.undo()
    assert "127.0.0.1" in lookup("localhost")


async def test_a_name_that_no_resolver_can_take_is_a_failure_like_any_other() -> None:
    def refuse(host: str) -> tuple[str, ...]:
        raise UnicodeError("label too long")

    names = Names(lookup=refuse)
    names.want(["x" * 64 + ".test"])
    await until(names, lambda: list(names.failures.values()) == ["label too long"])
    await names.close()
