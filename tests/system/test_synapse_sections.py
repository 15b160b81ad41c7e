"""Synapse's shared frontend, sections of one's own and several discoveries, with a real HAProxy and ZooKeeper."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.waiting import until
from tests.lab.web import Web
from tests.lab.zookeeper import ZooKeeper
from tests.system.smartstack import PATH, SERIES, Synapse, answered, clear, enter, found_at, synapse, webs, zookeeper

__all__ = ["synapse", "webs", "zookeeper"]
pytestmark = pytest.mark.system
OTHER = "/other"


def stub(*servers: Web) -> dict[str, Any]:
    """Discovery and servers of a service that finds nothing."""
    listed = [{"name": web.name, "host": "127.0.0.1", "port": web.port} for web in servers]
    return {"discovery": {"method": "base"}, "default_servers": listed}


# A2 haproxy: shared_frontend
@pytest.mark.parametrize("series", SERIES)
def test_services_share_a_frontend(synapse: Synapse, webs: Callable[[str], Web], series: str) -> None:
    services = {
        name: stub(webs(name))
        | {
            "haproxy": {
                "shared_frontend": [f"acl is_{name} hdr_dom(host) -i {name}.lb", f"use_backend {name} if is_{name}"]
            }
        }
        for name in ("one", "two")
    }
    balancer = synapse.up(services, series, shared_frontend=[f"bind 127.0.0.1:{synapse.port}"])
    for name in ("one", "two"):
        answered(balancer, {name}, host=f"{name}.lb")
    assert balancer.request("three.lb").status == 503


# A2 haproxy: extra_sections
# A2 trap: do_socket puts every server in extra_sections into MAINT
@pytest.mark.parametrize("series", SERIES)
def test_servers_of_sections_stay_as_they_are(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    """Synapse put them all into maintenance; they are nobody's business but the operator's."""
    clear(zookeeper)
    own, stats = ports.free(), ports.free()
    fixed = webs("fixed")
    sections = {
        f"listen stats :{stats}": ["stats enable", "stats uri /"],
        "frontend in": [
            f"bind 127.0.0.1:{own}",
            "acl web path /web",
            "use_backend web if web",
            "default_backend fixed",
        ],
        "backend fixed": [f"server fixed 127.0.0.1:{fixed.port} check inter 500ms"],
    }
    service = synapse.web(found_at(zookeeper))
    del service["web"]["haproxy"]["port"]
    balancer = synapse.up(service, series, extra_sections=sections)
    answered(balancer, {"fixed"}, port=own)
    enter(zookeeper, webs("one"))
    balancer.until_up("web", 1)
    answered(balancer, {"one"}, path="/web", port=own)
    states = {row["svname"]: row["status"] for row in rows(balancer.runtime("show stat")) if row["# pxname"] == "fixed"}
    assert states["fixed"].startswith("UP")
    assert "fixed" in balancer.request("x", port=stats).text
    assert balancer.reloads == 0


def rows(text: str) -> list[dict[str, str]]:
    """HAProxy's statistics, by column."""
    return list(csv.DictReader(text.splitlines()))


# A2 haproxy service: backend_name
# A2 trap: backend_name other than the service: every update reloads
@pytest.mark.parametrize("series", SERIES)
def test_a_backend_of_another_name(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    clear(zookeeper)
    service = {"discovery": found_at(zookeeper), "haproxy": {"port": synapse.port, "backend_name": "elsewhere"}}
    enter(zookeeper, webs("one"))
    balancer = synapse.up({"web": service}, series)
    answered(balancer, {"one"})
    enter(zookeeper, webs("two"))
    answered(balancer, {"one", "two"})
    assert "elsewhere" in {row["# pxname"] for row in rows(balancer.runtime("show stat"))}
    assert balancer.reloads == 0


@pytest.mark.parametrize("series", SERIES)
def test_a_section_leads_to_a_backend_of_tcp(synapse: Synapse, webs: Callable[[str], Web], series: str) -> None:
    service = stub(webs("one")) | {"haproxy": {"listen": ["mode tcp"]}}
    sections = {"frontend in": ["mode tcp", f"bind 127.0.0.1:{synapse.port}", "default_backend web"]}
    answered(synapse.up({"web": service}, series, extra_sections=sections), {"one"})


# A2 haproxy service: cookie_value_method
# A2 behaviour: server name = [name_]host:port
@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("method", ["name", "hash"])
def test_cookies_of_servers(synapse: Synapse, webs: Callable[[str], Web], series: str, method: str) -> None:
    one, two = webs("one"), webs("two")
    haproxy = {"port": synapse.port, "cookie_value_method": method, "backend": ["cookie SRV insert indirect nocache"]}
    balancer = synapse.up({"web": stub(one, two) | {"haproxy": haproxy}}, series)
    balancer.until_up("web", 2)
    answer = balancer.request("x")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert {balancer.request("x", headers={"Cookie": cookie}).who for _ in range(6)} == {answer.who}
    if series == "3.4":  # older ones cannot be told the cookie of a server that comes at runtime
        name = f"{answer.who}_127.0.0.1:{(one if answer.who == 'one' else two).port}"
        assert cookie == f"SRV={name if method == 'name' else hashlib.sha1(name.encode()).hexdigest()}"


def several(zookeeper: ZooKeeper, **resolver: Any) -> dict[str, Any]:
    """Two places in the registry, put together by a resolver."""
    watchers = {"a": found_at(zookeeper, PATH), "b": found_at(zookeeper, OTHER)}
    return {"method": "multi", "watchers": watchers, "resolver": resolver}


# A2 discovery multi: union
def test_the_union_of_two(synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web]) -> None:
    clear(zookeeper, PATH, OTHER)
    enter(zookeeper, webs("one"))
    enter(zookeeper, webs("two"), OTHER)
    balancer = synapse.up(synapse.web(several(zookeeper, method="union")))
    answered(balancer, {"one", "two"})


# A2 discovery multi: sequential
@pytest.mark.parametrize("series", SERIES)
def test_the_first_that_finds_any(
    synapse: Synapse, zookeeper: ZooKeeper, webs: Callable[[str], Web], series: str
) -> None:
    clear(zookeeper, PATH, OTHER)
    enter(zookeeper, webs("one"))
    resolver = {"method": "sequential", "sequential_order": ["b", "a"]}
    balancer = synapse.up(synapse.web(several(zookeeper, **resolver)), series)
    answered(balancer, {"one"})
    entry = enter(zookeeper, webs("two"), OTHER)
    answered(balancer, {"two"})
    zookeeper.delete(entry)
    answered(balancer, {"one"})
    assert balancer.reloads == 0


def test_tcp_of_another_address_and_a_unix_socket(synapse: Synapse, webs: Callable[[str], Web]) -> None:
    socket = synapse.path.with_name("web.sock")
    synapse.path.parent.chmod(0o777)
    services = {
        "web": stub(webs("one")) | {"haproxy": {"port": synapse.port, "listen": ["mode tcp"]}},
        "socket": stub(webs("two"))
        | {"haproxy": {"port": None, "bind_address": str(socket), "bind_options": "mode 666"}},
    }
    balancer = synapse.up(services)
    answered(balancer, {"one"})
    until(socket.is_socket, what="HAProxy listens on it")


def test_one_broken_file_of_a_folder_stops_no_other(synapse: Synapse, webs: Callable[[str], Web]) -> None:
    folder = synapse.path.parent / "services"
    folder.mkdir()
    (folder / "broken.json").write_text('{"discovery": {"method": "dockr"}}')
    services = {"web": stub(webs("one")) | {"haproxy": {"port": synapse.port}}}
    balancer = synapse.up(services, top={"service_conf_dir": str(folder)})
    answered(balancer, {"one"})
    (problem,) = balancer.status()["problems"]
    assert problem["service"] == "broken"
    assert problem["where"] == f"{folder}/broken.json:1:26"


@pytest.mark.parametrize("series", SERIES)
def test_a_section_that_leads_to_a_broken_service_leads_to_the_others(
    synapse: Synapse, webs: Callable[[str], Web], series: str
) -> None:
    sections = {
        "frontend in": [
            f"bind 127.0.0.1:{synapse.port}",
            "use_backend broken if { path /broken }",
            "default_backend web",
        ]
    }
    services = {"web": stub(webs("one")) | {"haproxy": {}}, "broken": {"discovery": {"method": "dockr"}}}
    balancer = synapse.up(services, series, extra_sections=sections)
    answered(balancer, {"one"})
    assert balancer.request("x", "/broken").status == 503
