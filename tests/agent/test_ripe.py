"""When a port that another HAProxy has may be taken over, and who would be missed there."""

from __future__ import annotations

import pytest

from longshore.agent.prober import Waiting
from longshore.agent.ripe import SEARCH, TRIES, barren, unripe
from longshore.core.frontend import Bind, Frontend
from longshore.core.model import Route, Service, Snapshot

TOLD = Snapshot("docker", services=(Service("web"),))
AWAY = Snapshot("docker", stale="it cannot be reached")
SAVED = Snapshot("docker", services=(Service("web"),), stale="it cannot be reached")


@pytest.mark.parametrize(
    ("snapshots", "attempts", "searched", "since", "expected"),
    [
        ([TOLD], [], [], 0.0, []),
        ([TOLD, None], [], [], 0.0, ["source s1, which has not answered yet"]),
        ([TOLD, AWAY], [], [], 0.0, ["source s1: it cannot be reached"]),
        ([TOLD, SAVED], [], [], 0.0, []),
        ([Snapshot("docker")], [], [], 0.0, []),
        ([TOLD], [TRIES, 0], [], 0.0, ["service web: first check of 10.0.0.1:80: refused"]),
        ([TOLD], [TRIES], [], 0.0, []),
        ([TOLD], [], ["dns"], SEARCH, ["service dns: HAProxy searches its endpoints"]),
        ([TOLD], [], ["dns"], SEARCH + 1, []),
    ],
)
def test_who_would_not_serve_all_takes_nothing_over_and_says_why(
    snapshots: list[Snapshot | None], attempts: list[int], searched: list[str], since: float, expected: list[str]
) -> None:
    asked = [("web", "10.0.0.1:80", Waiting(count, "refused")) for count in attempts]
    known = {f"s{number}": snapshot for number, snapshot in enumerate(snapshots)}
    assert list(unripe(known, asked, searched, since)) == expected


OWN = Service("own", routes=(Route(listen=":81"),))
ONE, TWO = (Service(name, routes=(Route(host=f"{name}.test"),)) for name in ("one", "two"))
HTTP = Frontend("http", "http", (Bind(":80"),), "routes.map")


@pytest.mark.parametrize(
    ("shared", "services", "served", "expected"),
    [
        ([":80", ":81"], [OWN, ONE, TWO], ["own", "one", "two"], {}),
        ([":80", ":81"], [OWN, ONE, TWO], ["two"], {":81": ("own",)}),
        ([":80", ":81"], [OWN, ONE, TWO], ["own"], {":80": ("one", "two")}),
        ([":80"], [OWN], [], {}),
        ([], [OWN, ONE], [], {}),
    ],
    ids=["all", "own has nobody", "nobody at the frontend", "no service at all", "nothing is shared"],
)
def test_an_address_is_barren_when_none_of_its_services_is_served(
    shared: list[str], services: list[Service], served: list[str], expected: dict[str, tuple[str, ...]]
) -> None:
    assert barren(shared, services, (HTTP,), served) == expected
