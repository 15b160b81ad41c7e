"""What `sync` holds in the other registry: the same entries, never twice, never back, and not nothing all at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from longshore.core.conditions import read
from longshore.core.entries import Entry, is_copy
from longshore.core.inventory import Change, Inventory
from longshore.core.layouts import LAYOUTS, farewell
from longshore.core.layouts.docker_register import CHECKS
from longshore.core.mirror import Mirror
from longshore.core.registered_options import Options

PREFIX = "/longshore/services"
OWNER = "sync.12345678"
OPTIONS = Options("etcd", LAYOUTS["native"], PREFIX)


def entry(service: str = "web", identity: str = "a", **more: Any) -> Entry:
    return Entry(service, identity, **{"host": "10.0.0.5", "port": 80, "owner": "host1.aabbccdd", **more})


def value(found: Entry) -> tuple[str, bytes]:
    write = LAYOUTS["native"].write
    assert write
    return write(PREFIX, found)


class Moving:
    """A mirror with what stands in FROM."""

    def __init__(self, *entries: Entry, options: Options = OPTIONS, layout: str = "native") -> None:
        self.inventory = Inventory(options)
        self.mirror = Mirror(options, OWNER, layout)
        if entries:
            self.stands(*entries)

    def stands(self, *entries: Entry, now: float = 0.0) -> None:
        self.inventory.replace(dict(map(value, entries)))
        self.mirror.take(self.inventory, now)

    @property
    def wanted(self) -> list[str]:
        return sorted(self.mirror.wanted)


def test_a_copy_says_the_same_under_our_name() -> None:
    one = entry(
        weight=7,
        labels=(("longshore.host", "a.test"), ("version", "2")),
        tags=("x",),
        zone="b",
        name="web-1",
        since=5.0,
        machine="host1",
    )
    (copy,) = Moving(one).mirror.wanted.values()
    assert copy.owner == OWNER
    assert is_copy(copy)
    assert (copy.service, copy.id, copy.host, copy.port) == ("web", "a", "10.0.0.5", 80)
    assert (copy.weight, copy.labels, copy.tags, copy.zone) == (one.weight, one.labels, one.tags, one.zone)
    assert (copy.name, copy.since, copy.machine) == ("web-1", 5.0, "host1")


def test_what_is_removed_or_not_healthy_goes() -> None:
    moving = Moving(entry(identity="a"), entry(identity="b", host="10.0.0.6"))
    moving.stands(entry(identity="a"))
    assert moving.wanted == ["web/a"]


def test_copies_are_not_copied_back() -> None:
    assert Moving(entry(), entry(identity="b", owner="sync.99999999")).wanted == ["web/a"]
    labelled = entry(identity="c", owner="", labels=(("synced-by", "sync.99999999"),))
    assert Moving(entry(), labelled).wanted == ["web/a"]


def test_a_layout_without_owners_is_marked_by_a_label() -> None:
    (copy,) = Moving(entry(), layout="nerve").mirror.wanted.values()
    assert copy.labels == (("synced-by", OWNER),)


def test_what_stands_in_the_other_registry_by_itself_is_not_copied() -> None:
    """The registrar moved there: the copy gives way, by id or by address."""
    moving = Moving(entry(identity="a"), entry(identity="b", host="10.0.0.6"), entry(identity="c", host="10.0.0.7"))
    there = [entry(identity="a"), entry(identity="other", host="10.0.0.6"), entry(identity="c", owner=OWNER)]
    moving.mirror.originals(there)
    moving.mirror.settle()
    assert moving.wanted == ["web/c"]
    moving.mirror.originals([])
    moving.mirror.settle()
    assert moving.wanted == ["web/a", "web/b", "web/c"]


def test_where_a_copy_cannot_be_told_from_an_original_nothing_gives_way() -> None:
    moving = Moving(entry(), layout="docker-register")
    moving.mirror.originals([entry(owner="")])
    moving.mirror.settle()
    assert moving.wanted == ["web/a"]


def test_a_sudden_loss_is_kept_until_the_endpoints_do_not_answer() -> None:
    some = [entry(identity=letter, host=f"10.0.0.{i}", weight=i) for i, letter in enumerate("abcd", 1)]
    moving = Moving(*some)
    moving.stands(now=1.0)
    assert moving.wanted == ["web/a", "web/b", "web/c", "web/d"]
    assert moving.mirror.wanted["web/b"].weight == 2
    assert moving.mirror.freeze.doubted
    moving.mirror.freeze.answered(("web", "a"), alive=False)
    moving.mirror.freeze.answered(("web", "b"), alive=True)
    moving.mirror.settle()
    assert moving.wanted == ["web/b", "web/c", "web/d"]
    assert moving.mirror.freeze.kept == 1


def test_what_is_withdrawn_on_purpose_says_so_there_too_and_is_not_doubted() -> None:
    some = [entry(identity=letter, host=f"10.0.0.{i}") for i, letter in enumerate("abcd", 1)]
    moving = Moving(*some)
    moving.stands(*(replace(each, status="leaving") for each in some), now=1.0)
    assert {each.status for each in moving.mirror.wanted.values()} == {"leaving"}
    moving.stands(now=1.1)
    assert moving.wanted == []


def test_a_copy_that_goes_says_nothing_of_the_endpoint() -> None:
    native = LAYOUTS["native"]
    assert farewell(native, PREFIX, *value(entry()))
    assert farewell(native, PREFIX, *value(entry(owner=OWNER))) is None


def test_the_first_listing_is_compared_with_what_an_earlier_run_left() -> None:
    moving = Moving()
    left = [entry(identity=letter, host=f"10.0.0.{i}", owner=OWNER) for i, letter in enumerate("abc", 1)]
    moving.mirror.remember([*left, entry(identity="z", owner="host9.11111111")])
    moving.stands(now=1.0)
    assert moving.wanted == ["web/a", "web/b", "web/c"]
    assert {each.owner for each in moving.mirror.wanted.values()} == {OWNER}


def test_filters_of_the_source_hold() -> None:
    options = Options("etcd", LAYOUTS["native"], PREFIX, labels=(read("tier=web"),), tags=("x",))
    yes = entry(identity="a", labels=(("tier", "web"),), tags=("x", "y"))
    no = [entry(identity="b", labels=(("tier", "web"),)), entry(identity="c", tags=("x",))]
    assert Moving(yes, *no, options=options).wanted == ["web/a"]


def test_what_a_registry_says_of_a_whole_service_goes_along() -> None:
    """docker-register's port of a service becomes a label of each of its entries."""
    options = Options("etcd", LAYOUTS["docker-register"], "/backends")
    inventory, mirror = Inventory(options), Mirror(options, OWNER, "native")
    inventory.replace({"/backends/who/4f3c2a1b0c9d": b"10.0.0.5:32768", "/backends/who/port": b"8000"})
    mirror.take(inventory, 0.0)
    assert mirror.wanted["who/4f3c2a1b0c9d"].labels == (*CHECKS, ("longshore.tcp", ":8000"))


def test_what_cannot_be_copied_is_said_and_keeps_nothing_else() -> None:
    moving = Moving()
    moving.inventory.replace({**dict([value(entry())]), f"{PREFIX}/web/bad": b"rubbish"})
    moving.mirror.take(moving.inventory, 0.0)
    assert moving.wanted == ["web/a"]
    assert [(each.key, each.why) for each in moving.mirror.passed_over] == [
        (f"{PREFIX}/web/bad", 'cannot be understood: is not JSON: "rubbish"')
    ]


def test_an_inventory_tells_what_is_different_since_the_last_time() -> None:
    inventory = Inventory(OPTIONS)
    key, first = value(entry())
    inventory.put(key, first)
    assert inventory.changes() == [Change(key, None, entry())]
    inventory.put(key, value(entry(weight=3))[1])
    inventory.put(key, first)
    assert inventory.changes() == []
    inventory.delete(key)
    inventory.delete(key)
    assert inventory.changes() == [Change(key, entry(), None)]
