"""What a registrar withdraws on purpose says so first, and nobody takes its end for an accident."""

from __future__ import annotations

import json

import pytest

from longshore.core.entries import Entry
from longshore.core.freeze import Freeze
from longshore.core.layouts import LAYOUTS, farewell
from longshore.core.model import EndpointState
from longshore.core.registered import Options, Registered

PREFIX = "/longshore/services"
NATIVE = LAYOUTS["native"]


def written(number: int, status: str = "") -> tuple[str, bytes]:
    entry = Entry("web", f"web-{number}", f"10.0.0.{number}", 80, owner="h1", status="leaving" if status else "")
    assert NATIVE.write
    return NATIVE.write(PREFIX, entry)


def test_the_farewell_is_the_entry_and_a_word() -> None:
    key, value = written(1)
    last = farewell(NATIVE, PREFIX, key, value)
    assert last is not None
    assert json.loads(last) == json.loads(value) | {"leaving": True}
    assert farewell(NATIVE, PREFIX, key, last) is None, "it is said once"
    read = NATIVE.read(PREFIX, key, last)
    assert isinstance(read, Entry)
    assert read.status == "leaving"


@pytest.mark.parametrize("layout", ["nerve", "registrator", "docker-register", "serverset"])
def test_other_layouts_have_no_word_for_it(layout: str) -> None:
    assert farewell(LAYOUTS[layout], PREFIX, f"{PREFIX}/web/web-1", b'{"host":"10.0.0.1","port":80}') is None


def test_what_is_no_entry_gets_none() -> None:
    assert farewell(NATIVE, PREFIX, f"{PREFIX}/web/web-1", b"rubbish") is None


def test_an_endpoint_that_leaves_is_stopping() -> None:
    registered = Registered(Options("etcd", NATIVE, PREFIX))
    registered.put(*written(1, "leaving"))
    ((service,), _) = registered.build()
    (endpoint,) = service.endpoints
    assert endpoint.state is EndpointState.STOPPING
    assert "withdraws it" in endpoint.reason


@pytest.mark.parametrize("seen", [True, False])
def test_a_loss_on_purpose_is_not_doubted(seen: bool) -> None:
    """Whether the last word was published before the end, or both came in one batch."""
    registered, freeze = Registered(Options("etcd", NATIVE, PREFIX)), Freeze("etcd")

    def publish(now: float) -> None:
        registered.build()
        freeze.take(registered.services, None, now, registered.left)
        registered.left = set()

    registered.replace(dict(written(number) for number in range(1, 6)))
    publish(0.0)
    for number in range(1, 5):
        registered.put(*written(number, "leaving"))
    if seen:
        publish(1.0)
    for number in range(1, 5):
        registered.delete(written(number)[0])
    publish(1.1)
    assert not freeze.doubted
    assert [endpoint.id for service in freeze.services for endpoint in service.endpoints] == ["web-5"]


def test_without_a_word_it_is() -> None:
    registered, freeze = Registered(Options("etcd", NATIVE, PREFIX)), Freeze("etcd")
    registered.replace(dict(written(number) for number in range(1, 6)))
    registered.build()
    freeze.take(registered.services, None, 0.0, registered.left)
    registered.replace(dict([written(5)]))
    registered.build()
    freeze.take(registered.services, None, 1.0, registered.left)
    assert len(freeze.doubted) == 4
