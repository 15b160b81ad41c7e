"""Fixed endpoints become services; names come and go, the rest stays the identical object."""

from __future__ import annotations

from longshore.core.model import Problem, Snapshot
from longshore.sources.fixed import Fixed, known_names, watch
from tests.sources.written import Published, Resolver, entries, running

DB = """
services:
  db:
    tcp: ":5432"
    weight: 20
    endpoints:
      - 10.0.0.5:5432
      - {address: vm1.test, port: 5433, weight: 50, backup: true}
      - "[fd00::5]:5434"
"""


def test_an_endpoint_has_what_was_written() -> None:
    (service,), problems = Fixed("file", lambda: 7.0).build(entries(DB), {"vm1.test": "10.0.0.6"}, {})
    assert problems == ()
    assert (service.name, service.mode, service.sources) == ("db", "tcp", ("file",))
    assert [route.listen for route in service.routes] == [":5432"]
    plain, named, six = service.endpoints
    assert (plain.id, plain.name, plain.address, plain.port) == ("10.0.0.5:5432", "10.0.0.5:5432", "10.0.0.5", 5432)
    assert (plain.weight, plain.backup, plain.since) == (20, False, 7.0)
    assert (named.id, named.name, named.address, named.host) == (
        "10.0.0.6:5433",
        "vm1.test:5433",
        "10.0.0.6",
        "vm1.test",
    )
    assert (named.weight, named.backup) == (50, True)
    assert named.reason == "vm1.test resolved to 10.0.0.6, written in vm.yaml"
    assert (six.id, six.address) == ("[fd00::5]:5434", "fd00::5")


def test_what_did_not_change_is_the_identical_object() -> None:
    times = iter([1.0] * 3 + [2.0] * 3)
    fixed = Fixed("file", lambda: next(times))
    before = fixed.build(entries(DB), {"vm1.test": "10.0.0.6"}, {})[0]
    after = fixed.build(entries(DB), {"vm1.test": "10.0.0.6"}, {})[0]
    assert after[0] is before[0]


def test_only_the_endpoint_that_moved_is_new() -> None:
    times = iter([1.0] * 3 + [2.0] * 3)
    fixed = Fixed("file", lambda: next(times))
    (before,), _ = fixed.build(entries(DB), {"vm1.test": "10.0.0.6"}, {})
    (after,), _ = fixed.build(entries(DB), {"vm1.test": "10.0.0.7"}, {})
    assert after.endpoints[0] is before.endpoints[0]
    assert (after.endpoints[1].id, after.endpoints[1].since) == ("10.0.0.7:5433", 2.0)


def test_a_name_without_any_address_is_a_problem_and_the_others_serve() -> None:
    (service,), problems = Fixed("file").build(entries(DB), {}, {"vm1.test": "Name or service not known"})
    assert [endpoint.address for endpoint in service.endpoints] == ["10.0.0.5", "fd00::5"]
    assert problems == (
        Problem(
            "vm.yaml:8:9",
            "vm1.test does not resolve: Name or service not known",
            "nothing is sent there until it does",
            "db",
        ),
    )


def test_a_name_that_does_not_resolve_any_more_keeps_its_address() -> None:
    (service,), problems = Fixed("file").build(entries(DB), {"vm1.test": "10.0.0.6"}, {"vm1.test": "timed out"})
    assert len(service.endpoints) == 3
    assert problems[0].hint == "the last address 10.0.0.6 stays in use"


def test_two_names_of_one_address_count_once() -> None:
    text = "services: {a: {endpoints: ['one.test:1', 'two.test:1', 'two.test:2']}}"
    (service,), problems = Fixed("file").build(entries(text), {"one.test": "10.0.0.1", "two.test": "10.0.0.1"}, {})
    assert [endpoint.id for endpoint in service.endpoints] == ["10.0.0.1:1", "10.0.0.1:2"]
    assert [problem.what for problem in problems] == ["two.test:1 is 10.0.0.1, the same as one.test:1"]


def test_a_service_that_says_no_host_answers_its_own_name() -> None:
    (service,), _ = Fixed("file").build(entries("services: {shop: {endpoints: ['10.0.0.1:1']}}"), {}, {})
    assert [route.host for route in service.routes] == ["shop.localhost"]


async def test_what_needs_no_look_up_is_published_at_once() -> None:
    published = Published()
    async with running(watch("config", entries(DB), published, lookup=Resolver())):
        await published.until(lambda seen: seen.all)
        assert [endpoint.address for endpoint in published.all[0].services[0].endpoints] == ["10.0.0.5", "fd00::5"]
        await published.until(lambda seen: seen.last.problems)


async def test_an_address_that_changes_is_published() -> None:
    published, resolver = Published(), Resolver(vm1_test="10.0.0.6")
    async with running(watch("config", entries(DB), published, lookup=resolver, refresh=0.01)):
        await published.until(lambda seen: "10.0.0.6:5433" in seen.endpoints("db"))
        resolver.addresses["vm1.test"] = "10.0.0.7"
        await published.until(lambda seen: "10.0.0.7:5433" in seen.endpoints("db"))
        assert "10.0.0.6:5433" not in published.endpoints("db")


async def test_after_a_restart_the_addresses_of_the_last_run_hold_until_names_are_looked_up() -> None:
    """Unknown is never empty: no endpoint leaves because its name was not asked for yet, or fails just now."""
    services, _ = Fixed("config").build(entries(DB), {"vm1.test": "10.0.0.6"}, {})
    published, last = Published(), Snapshot("config", services)
    assert known_names(last) == {"vm1.test": "10.0.0.6"}
    async with running(watch("config", entries(DB), published, last=last, lookup=Resolver())):
        await published.until(lambda seen: seen.last.problems)
        assert all(snapshot.services[0] is services[0] for snapshot in published.all)
