"""Registry entries become services: by themselves or picked, one change at a time, no entry harming another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.core import spec
from longshore.core.conditions import read as condition
from longshore.core.entries import Entry
from longshore.core.explain import Known, explain
from longshore.core.frontend import Bind, Frontend
from longshore.core.layouts import LAYOUTS
from longshore.core.model import Endpoint, EndpointState, Problem, Route, Service
from longshore.core.registered import MOST_PROBLEMS, Options, Pick, Registered, Value, build

PREFIX = "/longshore/services"
OPTIONS = Options("etcd", LAYOUTS["native"], PREFIX)


def entry(host: str = "10.0.0.5", port: int = 80, **more: Any) -> bytes:
    return json.dumps({"host": host, "port": port, **more}).encode()


def key(rest: str) -> str:
    return f"{PREFIX}/{rest}"


def services(found: Mapping[str, Value], options: Options = OPTIONS) -> dict[str, Service]:
    built, problems = build({key(rest): value for rest, value in found.items()}, options)
    assert problems == ()
    return {service.name: service for service in built}


def problems(found: Mapping[str, Value], options: Options = OPTIONS) -> list[str]:
    _, problems = build({key(rest): value for rest, value in found.items()}, options)
    return [f"{problem.where}: {problem.what}" for problem in problems]


def pick(name: str, said: Mapping[str, object] | None = None, **more: Any) -> Pick:
    checked, _ = spec.check(said or {})
    assert checked is not None
    return Pick(name, checked, **more)


def test_services_are_found_by_themselves() -> None:
    found = services(
        {
            "web/h1:web-1:80": entry("10.0.0.5", 31000, name="web-1", weight=50, machine="h1", zone="eu", since=5.0),
            "web/h2:web-1:80": entry("10.0.0.6", 31000, name="web-1"),
            "db/a": entry(labels={"longshore.tcp": ":5432", "longshore.backup": "true"}),
        }
    )
    assert list(found) == ["db", "web"]
    assert found["web"] == Service(
        "web",
        "http",
        (Route("web.localhost"),),
        endpoints=(
            Endpoint(
                "h1:web-1:80",
                "web-1",
                "10.0.0.5",
                31000,
                50,
                reason="registered in etcd",
                since=5.0,
                host="h1",
                zone="eu",
            ),
            Endpoint("h2:web-1:80", "web-1", "10.0.0.6", 31000, reason="registered in etcd"),
        ),
        sources=("etcd",),
    )
    assert (found["db"].mode, found["db"].routes) == ("tcp", (Route(listen=":5432"),))
    assert found["db"].endpoints[0].backup


def test_labels_are_the_keys_of_the_design() -> None:
    web = services({"web/a": entry(labels={"longshore.host": "a.test", "longshore.check": "/up", "tier": "x"})})["web"]
    assert web.routes == (Route("a.test"),)
    assert web.policy.check.path == "/up"


def test_a_label_s_weight_and_zone_win_over_the_entry_s() -> None:
    web = services({"web/a": entry(weight=10, zone="eu", labels={"longshore.weight": "20", "longshore.zone": "us"})})[
        "web"
    ]
    assert (web.endpoints[0].weight, web.endpoints[0].zone) == (20, "us")


def test_an_entry_can_be_switched_off_or_name_another_service() -> None:
    found = services(
        {
            "web/a": entry(labels={"longshore.enable": "false"}),
            "web/b": entry(labels={"longshore.service": "shop"}),
        }
    )
    assert list(found) == ["shop"]


def test_filters_take_by_label_and_tag() -> None:
    options = Options(
        "etcd", LAYOUTS["native"], PREFIX, labels=(condition("tier=web"), condition("v!=2")), tags=("blue",)
    )
    found = services(
        {
            "web/a": entry("10.0.0.1", labels={"tier": "web"}, tags=["blue", "x"]),
            "web/b": entry("10.0.0.2", labels={"tier": "web", "v": "2"}, tags=["blue"]),
            "web/c": entry("10.0.0.3", labels={"tier": "web"}),
            "web/d": entry("10.0.0.4", tags=["blue"]),
        },
        options,
    )
    assert [endpoint.id for endpoint in found["web"].endpoints] == ["a"]


def test_services_can_be_named_one_by_one() -> None:
    shop = pick("shop", {"host": "shop.test", "weight": 7, "backup": True}, service="web", port=8080)
    options = Options("etcd", LAYOUTS["native"], PREFIX, "named", picks=(shop,))
    found = services({"web/a": entry(), "web/b": entry("10.0.0.6", weight=3), "other/a": entry("10.0.0.7")}, options)
    assert list(found) == ["shop"]
    assert found["shop"].routes == (Route("shop.test"),)
    assert [(e.id, e.port, e.weight, e.backup) for e in found["shop"].endpoints] == [
        ("a", 8080, 7, True),
        ("b", 8080, 3, True),
    ]


def test_a_picked_entry_belongs_to_those_who_pick_it_only() -> None:
    options = Options("etcd", LAYOUTS["native"], PREFIX, picks=(pick("shop", service="web"), pick("blue", tag="blue")))
    found = services({"web/a": entry(tags=["blue"]), "api/a": entry("10.0.0.6")}, options)
    assert {name: len(service.endpoints) for name, service in found.items()} == {"api": 1, "blue": 1, "shop": 1}


def test_labels_that_the_operator_s_service_overrules_are_said_once() -> None:
    """Whoever asks for the host that the labels say is told why it is not there."""
    labels = {"longshore.host": "whoami.test", "longshore.weight": "7", "longshore.hold": "5s"}
    content = {f"whoami/{n}": entry(f"10.0.0.{n}", labels=labels) for n in (5, 6)}
    options = replace(OPTIONS, picks=(pick("shop", {"host": "shop.test", "hold": "5s"}, service="whoami"),))
    built, (problem,) = build({key(rest): value for rest, value in content.items()}, options)
    assert problem.what == (
        "whoami is registered with host whoami.test, but services.shop of the configuration decides"
    )
    http = Frontend("http", "http", (Bind(":80"),), "/state/maps/routes.map")
    told = explain("whoami.test", Known(built, [http], problems=[problem]))
    assert (told.status, told.problems) == (404, (problem,))
    assert services(
        content, replace(OPTIONS, picks=(pick("shop", {"host": "whoami.test", "hold": 5}, service="whoami"),))
    )


def test_a_picked_path_may_be_anywhere() -> None:
    options = Options(
        "zookeeper", LAYOUTS["nerve"], PREFIX, "named", picks=(pick("shop", path="/nerve/services/web/services"),)
    )
    assert options.prefixes == ("/nerve/services/web/services",)
    built, problems = build(
        {"/nerve/services/web/services/i-1_0000000001": entry(), "/nerve/services/web": b""}, options
    )
    assert problems == ()
    assert [endpoint.address for endpoint in built[0].endpoints] == ["10.0.0.5"]


def test_places_to_look_at_are_not_beneath_each_other() -> None:
    picks = (pick("a", path=f"{PREFIX}/web"), pick("b", path="/nerve/b"), pick("c", path="/nerve/b/c"))
    assert Options("etcd", LAYOUTS["native"], PREFIX, picks=picks).prefixes == (PREFIX, "/nerve/b")


def test_a_service_of_the_operator_is_there_without_entries() -> None:
    options = Options("etcd", LAYOUTS["native"], PREFIX, picks=(pick("shop", {"host": "a.test"}, service="web"),))
    assert services({}, options)["shop"].endpoints == ()


# A4 port
# A4 check
def test_docker_register_s_port_is_where_the_service_listens() -> None:
    options = Options("etcd", LAYOUTS["docker-register"], "/backends")
    found = {"/backends/whoami/4f3c2a1b0c9d": b"10.0.0.5:32768", "/backends/whoami/port": b"8000"}
    built, problems = build(found, options)
    assert problems == ()
    assert (built[0].name, built[0].mode, built[0].routes) == ("whoami", "tcp", (Route(listen=":8000"),))
    check = built[0].policy.check
    assert (check.kind, check.interval, check.rise, check.fall) == ("tcp", 2.0, 3, 2)


# A4 no port
def test_docker_register_s_missing_port_is_a_problem_of_that_service_alone() -> None:
    options = Options("etcd", LAYOUTS["docker-register"], "/backends")
    found = {
        "/backends/a/4f3c2a1b0c9d": b"10.0.0.5:1",
        "/backends/b/5f3c2a1b0c9d": b"10.0.0.5:2",
        "/backends/b/port": b"9",
    }
    built, problems = build(found, options)
    assert {service.name: service.routes for service in built} == {"a": (), "b": (Route(listen=":9"),)}
    assert [(each.service, each.what) for each in problems] == [("a", "is not there: where should the service listen?")]


def test_critical_in_the_registry_is_waiting() -> None:
    found = {key("web/a"): Entry("web", "a", "10.0.0.5", 80, status="critical")}
    (web,), _ = build(found, OPTIONS)
    assert web.endpoints[0].state is EndpointState.WAITING
    assert web.endpoints[0].reason == "registered in etcd, which says it is not healthy"


def test_one_bad_entry_is_said_and_harms_no_other() -> None:
    good = {"web/a": entry(), "api/a": entry("10.0.0.6")}
    bad = {
        "web/b": b"rubbish",
        "web/c": entry("10.0.0.7", labels={"longshore.wieght": "5"}),
        "a b/c": entry("10.0.0.8"),
        "web/d\x07": entry("10.0.0.9"),
    }
    before, _ = build({key(rest): value for rest, value in good.items()}, OPTIONS)
    after, found = build({key(rest): value for rest, value in (good | bad).items()}, OPTIONS)
    assert after == before
    assert [(problem.where, problem.what) for problem in found] == [
        ("etcd /longshore/services/a b/c", '"a b" cannot be the name of a service'),
        ("etcd /longshore/services/web/b", 'is not JSON: "rubbish"'),
        ("etcd /longshore/services/web/c", "label longshore.wieght: unknown key; did you mean weight?"),
        ("etcd /longshore/services/web/d\\x07", '"d\\x07" cannot be the id of an endpoint'),
    ]


def test_a_service_that_cannot_be_named_can_be_picked() -> None:
    options = Options("etcd", LAYOUTS["native"], PREFIX, picks=(pick("ab", service="a b"),))
    assert len(services({"a b/c": entry()}, options)["ab"].endpoints) == 1


def test_a_prefix_full_of_foreign_keys_is_not_listed_in_full() -> None:
    found = problems({f"web/{number:04}": b"x" for number in range(MOST_PROBLEMS + 50)})
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == "source etcd: 50 more entries have problems"


def test_a_weight_beyond_what_haproxy_can_is_said() -> None:
    assert problems({"web/a": entry(weight=1000)}) == [
        "etcd /longshore/services/web/a: weight 1,000 is more than HAProxy can, 256 is used"
    ]


def test_the_newest_that_says_something_decides_how_a_service_is_served() -> None:
    found = {
        "web/a": entry("10.0.0.1", since=1, labels={"longshore.host": "old.test"}),
        "web/b": entry("10.0.0.2", since=2, labels={"longshore.host": "new.test"}),
        "web/c": entry("10.0.0.3", since=3, labels={"version": "7"}),
    }
    (web,), _ = build({key(rest): value for rest, value in found.items()}, OPTIONS)
    assert web.routes == (Route("new.test"),)
    assert len(web.endpoints) == 3
    assert problems(found) == [
        "etcd /longshore/services/web/a: says something else of service web than /longshore/services/web/b, "
        "which is newer and decides: longshore.host"
    ]


def test_an_entry_left_behind_by_its_own_registrar_is_no_problem() -> None:
    """ZooKeeper keeps a lost session's node for a while after the new one stands."""
    found = services(
        {"web/a_0000000001": entry(owner="h1", since=1), "web/a_0000000002": entry("10.0.0.6", owner="h1", since=2)}
    )
    assert [endpoint.address for endpoint in found["web"].endpoints] == ["10.0.0.6"]


def test_one_id_of_two_owners_is_said() -> None:
    found = {"web/a_0000000001": entry(owner="h1"), "web/a_0000000002": entry("10.0.0.6", owner="h2")}
    assert problems(found) == [
        "etcd /longshore/services/web/a_0000000001: has the same id as /longshore/services/web/a_0000000002, "
        "which is newer and counts"
    ]


def test_an_address_that_two_hosts_claim_is_said_and_counts_once() -> None:
    found = {
        "web/h1:a:80": entry(owner="h1", since=1),
        "web/h2:a:80": entry(owner="h2", since=2),
        "api/h3:a:80": entry(owner="h3"),
    }
    built, _ = build({key(rest): value for rest, value in found.items()}, OPTIONS)
    assert {service.name: [e.id for e in service.endpoints] for service in built} == {
        "api": ["h3:a:80"],
        "web": ["h2:a:80"],
    }
    assert problems(found) == [
        "etcd /longshore/services/web/h1:a:80: has the same address as /longshore/services/web/h2:a:80, "
        "which is newer and counts",
        "etcd 10.0.0.5:80: is registered by several hosts as theirs: h1, h2, h3",
    ]


def test_names_are_looked_up_and_keep_their_last_address() -> None:
    registered = Registered(OPTIONS)
    registered.put(key("web/a"), entry("vm1.internal"))
    assert registered.hosts_changed
    assert registered.hosts == {"vm1.internal"}
    (web,), _ = registered.build()
    assert web.endpoints == ()
    registered.resolved({"vm1.internal": "10.0.0.9"}, {})
    (web,), found = registered.build()
    assert [endpoint.address for endpoint in web.endpoints] == ["10.0.0.9"]
    assert found == ()
    registered.resolved({"vm1.internal": "10.0.0.9"}, {"vm1.internal": "no such name"})
    assert registered.build() == (
        (web,),
        (
            Problem(
                "etcd /longshore/services/web/a",
                "vm1.internal does not resolve: no such name",
                "the last address 10.0.0.9 stays in use",
                "web",
            ),
        ),
    )
    registered.delete(key("web/a"))
    assert registered.hosts == set()


def test_names_are_looked_up_where_the_operator_says() -> None:
    """Each service has its own way; one entry may be in several."""
    here, there = ("10.0.0.2:53",), ("10.0.0.2:53", "10.0.0.3:53")
    picks = (pick("a", service="web", nameservers=here), pick("b", service="web", nameservers=there))
    plain = pick("c", service="web")
    registered = Registered(replace(OPTIONS, picks=(*picks, plain)))
    registered.put(key("web/one"), entry("vm1.internal"))
    registered.put(key("api/two"), entry("vm2.internal"))
    asked = ["vm1.internal@10.0.0.2:53", "vm1.internal@10.0.0.2:53,10.0.0.3:53", "vm1.internal", "vm2.internal"]
    assert registered.hosts == set(asked)
    registered.resolved({name: f"10.0.1.{number}" for number, name in enumerate(asked)}, {asked[0]: "gone"})
    built, found = registered.build()
    assert {s.name: [e.address for e in s.endpoints] for s in built} == {
        "a": ["10.0.1.0"],
        "b": ["10.0.1.1"],
        "c": ["10.0.1.2"],
        "api": ["10.0.1.3"],
    }
    assert [problem.what for problem in found] == ["vm1.internal does not resolve: gone"]
    registered.delete(key("web/one"))
    assert registered.hosts == {"vm2.internal"}


def test_after_a_restart_a_name_has_the_address_it_had() -> None:
    earlier = Service("web", endpoints=(Endpoint("a", "a", "10.0.0.9", 80),))
    registered = Registered(OPTIONS, (earlier,))
    registered.put(key("web/a"), entry("vm1.internal"))
    assert [endpoint.address for endpoint in registered.build()[0][0].endpoints] == ["10.0.0.9"]
