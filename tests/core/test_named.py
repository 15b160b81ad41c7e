"""What names in DNS say becomes services; what did not change stays the same object."""

from __future__ import annotations

import pytest

from longshore.core import spec
from longshore.core.held import Record
from longshore.core.model import Endpoint, Resolvers, Route
from longshore.core.named import Named, Pick, room_for


def pick(kind: str = "a", **pairs: object) -> Pick:
    read, faults = spec.check({key.replace("_", "-"): value for key, value in pairs.items()})
    assert read, faults
    return Pick("web", read, "tasks.web", "srv" if kind == "srv" else "a", 0 if kind == "srv" else 8000)


def addresses(*numbers: int) -> tuple[Record, ...]:
    return tuple(Record(f"10.0.0.{number}", 8000) for number in numbers)


def srv(*weights_priorities: tuple[int, int]) -> tuple[Record, ...]:
    return tuple(
        Record(f"10.0.0.{number}", 8000 + number, f"n{number}.test", priority, weight)
        for number, (weight, priority) in enumerate(weights_priorities)
    )


def test_addresses_become_endpoints() -> None:
    (service,) = Named("dns").build([pick(host="a.test", weight=50)], {"web": addresses(1)}, 7.0)
    assert (service.name, service.routes, service.sources) == ("web", (Route("a.test"),), ("dns",))
    assert service.endpoints == (
        Endpoint("10.0.0.1:8000", "10.0.0.1:8000", "10.0.0.1", 8000, 50, reason="DNS says so of tasks.web", since=7.0),
    )


def test_a_name_without_records_is_a_service_without_endpoints() -> None:
    (service,) = Named("dns").build([pick()], {}, 0.0)
    assert (service.routes, service.endpoints) == ((Route("web.localhost"),), ())


def test_what_did_not_change_is_the_same_object() -> None:
    named, wanted = Named("dns"), pick()
    (before,) = named.build([wanted], {"web": addresses(1, 2)}, 1.0)
    (again,) = named.build([wanted], {"web": addresses(1, 2)}, 2.0)
    assert again is before
    (after,) = named.build([wanted], {"web": addresses(2, 3)}, 3.0)
    assert after.endpoints[0] is before.endpoints[1]
    assert after.endpoints[1].since == 3.0


def test_the_same_object_after_a_restart() -> None:
    (before,) = Named("dns").build([pick()], {"web": addresses(1)}, 1.0)
    named = Named("dns")
    named.remember([before])
    (after,) = named.build([pick()], {"web": addresses(1)}, 2.0)
    assert after is before


@pytest.mark.parametrize(
    ("records", "weights"),
    [
        (srv((0, 1), (0, 1)), [100, 100]),
        (srv((5, 1), (10, 1)), [5, 10]),
        (srv((0, 1), (10, 1)), [1, 10]),
        (srv((65535, 1), (32768, 1), (1, 1)), [256, 128, 1]),
    ],
)
def test_weights_of_srv_records(records: tuple[Record, ...], weights: list[int]) -> None:
    (service,) = Named("dns").build([pick("srv")], {"web": records}, 0.0)
    assert [endpoint.weight for endpoint in service.endpoints] == weights


def test_all_but_the_first_priority_are_backups() -> None:
    (service,) = Named("dns").build([pick("srv")], {"web": srv((1, 10), (1, 20), (1, 10))}, 0.0)
    assert [endpoint.backup for endpoint in service.endpoints] == [False, True, False]
    assert service.endpoints[1].name == "n1.test:8001"
    assert service.endpoints[1].reason == "DNS says so of tasks.web, and that others come first"


def test_haproxy_gets_a_template_with_room() -> None:
    resolvers = Resolvers(("127.0.0.11:53",))
    named, wanted = Named("dns", resolvers, 20), pick(weight=30, backup=True)
    (service,) = named.build([wanted], {"web": addresses(*range(20))}, 0.0)
    assert service.endpoints == ()
    assert service.template
    assert (service.template.slots, service.template.weight, service.template.backup) == (20, 30, True)
    (more,) = named.build([wanted], {"web": addresses(*range(21))}, 0.0)
    assert more.template
    assert more.template.slots == 40
    (fewer,) = named.build([wanted], {"web": addresses(1)}, 0.0)
    assert fewer is more, "fewer slots are not worth a reload"


@pytest.mark.parametrize(("needed", "slots"), [(1, 10), (6, 10), (7, 10), (20, 30), (21, 40), (50, 80), (500, 750)])
def test_room(needed: int, slots: int) -> None:
    assert room_for(needed) == slots
