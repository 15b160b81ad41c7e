"""registrator's layouts, byte for byte as its adapters write them, and read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.entries import Entry, Inside
from longshore.core.layouts import LAYOUTS, NODES, Layout, consul, consul_registrator, skydns2

INSIDE = Inside("4f3c2a1b0c9d" + "0" * 52, "c0ffee", 80)
ENTRY = Entry(
    "www",
    "h1:web.0:80",
    "10.0.0.5",
    49153,
    name="web.0",
    labels=(("region", "a<b>&c"), ("sni", "on")),
    tags=("b", "a"),
    owner="h1.0a1b2c3d",
    machine="h1",
    inside=INSIDE,
)
UDP = replace(
    ENTRY, id="h1:web.0:53:udp", tags=("udp",), labels=(("longshore.enable", "false"), ("protocol", "udp"), ("x", "1"))
)
NODE = (
    '{"Name":"www","IP":"10.0.0.5","PublicPort":49153,"PrivatePort":80,"ContainerID":"c0ffee","Tags":["b","a"],'
    '"Attrs":{"region":"a\\u003cb\\u003e\\u0026c","sni":"on"}}'
)
BARE = '{"Name":"www","IP":"10.0.0.5","PublicPort":49153,"PrivatePort":80,"ContainerID":"c0ffee","Tags":[],"Attrs":{}}'


@pytest.mark.parametrize(
    ("layout", "entry", "key", "value"),
    [
        pytest.param(LAYOUTS["registrator"], ENTRY, "/p/www/h1:web.0:80", "10.0.0.5:49153", id="A5 etcd: key = value"),
        pytest.param(LAYOUTS["consulkv"], ENTRY, "/p/www/h1:web.0:80", "10.0.0.5:49153", id="A5 consulkv: key = value"),
        pytest.param(
            LAYOUTS["registrator"],
            replace(ENTRY, host="fd00::5"),
            "/p/www/h1:web.0:80",
            "[fd00::5]:49153",
            id="A5 etcd: IPv6",
        ),
        pytest.param(
            LAYOUTS["skydns2"],
            ENTRY,
            "/p/www/h1:web.0:80",
            '{"host":"10.0.0.5","port":49153}',
            id="A5 skydns2: key = value",
        ),
        pytest.param(NODES, ENTRY, "/p/www/10.0.0.5:49153", NODE, id="A5 zookeeper: key = value"),
        pytest.param(
            NODES, replace(ENTRY, tags=(), labels=()), "/p/www/10.0.0.5:49153", BARE, id="A5 zookeeper: nothing to tell"
        ),
    ],
)
def test_entries_are_written(layout: Layout, entry: Entry, key: str, value: str) -> None:
    assert layout.write
    assert layout.write("/p", entry) == (key, value.encode())


@pytest.mark.parametrize(
    ("layout", "key", "value", "expected"),
    [
        pytest.param(
            LAYOUTS["skydns2"],
            "/p/www/redis-1",
            b'{"host":"10.0.0.5","port":80,"priority":1}',
            Entry("www", "redis-1", "10.0.0.5", 80),
            id="A5 skydns2: read",
        ),
        pytest.param(
            LAYOUTS["skydns2"],
            "/p/www/h1:web.0:80",
            b'{"host":"10.0.0.5","port":80}',
            Entry("www", "h1:web.0:80", "10.0.0.5", 80, name="web.0", owner="h1", machine="h1"),
            id="A5 skydns2: read with its host",
        ),
        pytest.param(
            LAYOUTS["skydns2"], "/p/www/h1:d:53:udp", b'{"host":"1.2.3.4","port":1}', None, id="A5 skydns2: UDP"
        ),
        pytest.param(
            NODES,
            "/p/www/10.0.0.5:49153",
            NODE.encode(),
            Entry(
                "www",
                "10.0.0.5:49153",
                "10.0.0.5",
                49153,
                name="c0ffee",
                labels=(("region", "a<b>&c"), ("sni", "on")),
                tags=("b", "a"),
            ),
            id="A5 zookeeper: read",
        ),
        pytest.param(
            NODES, "/p/www/1.2.3.4:1", NODE.replace('"b","a"', '"a","udp"').encode(), None, id="A5 zookeeper: UDP"
        ),
    ],
)
def test_entries_are_read(layout: Layout, key: str, value: bytes, expected: Entry | None) -> None:
    assert layout.read("/p", key, value) == expected


@pytest.mark.parametrize(
    ("domain", "prefix"),
    [
        pytest.param("cluster.local", "/skydns/local/cluster", id="A5 skydns2: reversed domain"),
        pytest.param("a", "/skydns/a", id="A5 skydns2: one word"),
    ],
)
def test_domains_are_reversed(domain: str, prefix: str) -> None:
    assert skydns2.prefix_of(domain) == prefix


def test_a_service_of_consul_is_as_registrator_registers_it() -> None:
    body = consul_registrator.registration(ENTRY, 10)
    kept = body.pop("Check")
    assert body == {
        "ID": "h1:web.0:80",
        "Name": "www",
        "Address": "10.0.0.5",
        "Port": 49153,
        "Tags": ["b", "a"],
        "Meta": {"region": "a<b>&c", "sni": "on"},
        "EnableTagOverride": False,
    }
    assert (kept["Name"], kept["TTL"]) == (consul.KEPT, "10s")
    assert consul_registrator.owner_in(kept["Notes"]) == "h1.0a1b2c3d"
    assert consul_registrator.owner_in("by hand") == ""
    assert consul_registrator.registration(UDP, 10)["Meta"] == {"x": "1"}


BASE = {"Status": "passing", "Interval": "10s"}


@pytest.mark.parametrize(
    ("attrs", "check"),
    [
        pytest.param({}, {}, id="A5 checks: none"),
        pytest.param({"check_http": "/ok"}, BASE | {"HTTP": "http://10.0.0.5:49153/ok"}, id="A5 CHECK_HTTP"),
        pytest.param(
            {"check_http": "/", "check_http_method": "HEAD", "check_timeout": "1s", "check_interval": "15s"},
            BASE | {"HTTP": "http://10.0.0.5:49153/", "Method": "HEAD", "Timeout": "1s", "Interval": "15s"},
            id="A5 CHECK_HTTP_METHOD, CHECK_INTERVAL, CHECK_TIMEOUT",
        ),
        pytest.param(
            {"check_https": "/", "check_https_method": "HEAD"},
            BASE | {"HTTP": "https://10.0.0.5:49153/", "Method": "HEAD"},
            id="A5 CHECK_HTTPS",
        ),
        pytest.param(
            {"check_cmd": "curl -f"}, BASE | {"Args": ["check-cmd", "4f3c2a1b0c9d", "80", "curl -f"]}, id="A5 CHECK_CMD"
        ),
        pytest.param(
            {"check_script": "nc $SERVICE_IP $SERVICE_PORT | grep OK", "check_timeout": "1s"},
            BASE | {"Args": ["nc 10.0.0.5 49153 | grep OK"]},
            id="A5 CHECK_SCRIPT",
        ),
        pytest.param({"check_ttl": "30s"}, {"TTL": "30s", "Status": "passing"}, id="A5 CHECK_TTL"),
        pytest.param({"check_tcp": "true"}, BASE | {"TCP": "10.0.0.5:49153"}, id="A5 CHECK_TCP"),
        pytest.param({"check_grpc": "true"}, BASE | {"GRPC": "10.0.0.5:49153"}, id="A5 CHECK_GRPC"),
        pytest.param(
            {"check_grpc": "true", "check_grpc_use_tls": "true", "check_tls_skip_verify": "true"},
            BASE | {"GRPC": "10.0.0.5:49153", "GRPCUseTLS": True, "TLSSkipVerify": True},
            id="A5 CHECK_GRPC_USE_TLS, CHECK_TLS_SKIP_VERIFY",
        ),
        pytest.param(
            {"check_tcp": "true", "check_initial_status": "critical", "check_deregister_after": "10m"},
            BASE | {"TCP": "10.0.0.5:49153", "Status": "critical", "DeregisterCriticalServiceAfter": "10m"},
            id="A5 CHECK_INITIAL_STATUS, CHECK_DEREGISTER_AFTER",
        ),
        pytest.param(
            {"check_tcp": "true", "check_http": "/"},
            BASE | {"HTTP": "http://10.0.0.5:49153/"},
            id="A5 checks: the first counts",
        ),
    ],
)
def test_checks_of_consul(attrs: dict[str, str], check: dict[str, Any]) -> None:
    assert consul_registrator.check_of(ENTRY, attrs) == check
