"""The section `haproxy` of one service and of all (reference, A2), and file_output."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from tests.compat.synapse_written import ENSEMBLE, HAPROXY, part, web, written

SECTIONS = {"listen stats :3212": ["mode http", "stats enable"]}


@pytest.mark.parametrize(
    ("haproxy", "service"),
    [
        pytest.param({"port": 8080}, {"listen": "127.0.0.1:8080"}, id="A2 haproxy service: port"),
        pytest.param({"port": "8080"}, {"listen": "127.0.0.1:8080"}, id="A2 haproxy service: port as text"),
        pytest.param(
            {"port": 80, "frontend": ["mode tcp"]}, {"tcp": "127.0.0.1:80"}, id="A2 haproxy service: mode tcp"
        ),
        pytest.param(
            {"port": None, "bind_address": "/run/web.sock"},
            {"listen": "unix@/run/web.sock"},
            id="A2 haproxy service: port null",
        ),
        pytest.param(
            {"port": 80, "bind_address": "127.0.0.2"}, {"listen": "127.0.0.2:80"}, id="A2 haproxy service: bind_address"
        ),
        pytest.param({"port": 80, "bind_address": "*"}, {"listen": ":80"}, id="A2 haproxy service: bind_address *"),
        pytest.param(
            {"port": 80, "bind_address": "::1"}, {"listen": "[::1]:80"}, id="A2 haproxy service: bind_address IPv6"
        ),
        pytest.param(
            {"port": 80, "bind_options": "accept-proxy"},
            {"raw": {"bind": "accept-proxy"}},
            id="A2 haproxy service: bind_options",
        ),
        pytest.param(
            {"port": None, "bind_address": "/run/a.sock", "bind_options": "mode 666"},
            {"listen": "unix@/run/a.sock", "raw": {"bind": "mode 666"}},
            id="A2 haproxy service: bind_options of a socket",
        ),
        pytest.param(
            {"server_options": "check inter 2s rise 3 fall 2 cookie %{name}"},
            {"raw": {"server": "check inter 2s rise 3 fall 2 cookie %{server}"}},
            id="A2 haproxy service: server_options",
        ),
        pytest.param(
            {"server_port_override": 81}, {"from": {"port": 81}}, id="A2 haproxy service: server_port_override"
        ),
        pytest.param(
            {"port": 80, "frontend": ["capture request header Host len 20"]},
            {"raw": {"frontend": ["capture request header Host len 20"]}},
            id="A2 haproxy service: frontend",
        ),
        pytest.param(
            {"backend": ["option httpchk GET /health", "balance leastconn"]},
            {"raw": {"backend": ["option httpchk GET /health", "balance leastconn"]}, "check": "/health"},
            id="A2 haproxy service: backend",
        ),
        pytest.param(
            {"backend": "retries 2"}, {"raw": {"backend": ["retries 2"]}}, id="A2 haproxy service: one line as text"
        ),
        pytest.param(
            {"port": 80, "listen": ["option httplog", "balance source", "maxconn 9", "timeout client 9s"]},
            {"raw": {"frontend": ["option httplog", "maxconn 9", "timeout client 9s"], "backend": ["balance source"]}},
            id="A2 haproxy service: listen",
        ),
        pytest.param(
            {"port": 80, "listen": ["reqadd X-A:\\ b", "contimeout 500"]},
            {"raw": {"frontend": ["http-request add-header X-A b"], "backend": ["timeout connect 500", ANY]}},
            id="A2 haproxy service: lines that HAProxy has dropped",
        ),
        pytest.param({"backend_name": "other"}, {"raw": {"name": "other"}}, id="A2 haproxy service: backend_name"),
        pytest.param(
            {"cookie_value_method": "hash", "backend": ["cookie SRV insert"]},
            {"raw": {"cookie": "hash"}},
            id="A2 haproxy service: cookie_value_method hash",
        ),
        pytest.param(
            {"backend": ["cookie SRV insert"]},
            {"raw": {"cookie": "name"}},
            id="A2 haproxy service: cookie_value_method name",
        ),
        pytest.param(
            {"backend": ["retry-on conn-failure"]},
            {"raw": {"backend": ["retry-on conn-failure"]}},
            id="A2 haproxy service: lines that Synapse discarded",
        ),
    ],
)
def test_a_key_of_a_service(tmp_path: Path, haproxy: Any, service: Any) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy=haproxy)
    assert not found.problems
    assert part(found.service, service), found.service


@pytest.mark.parametrize(("defaults", "mode"), [(["mode tcp"], "tcp"), ([], "tcp"), (["mode http"], None)])
def test_a_backend_only_has_the_mode_that_is_said(tmp_path: Path, defaults: list[str], mode: str | None) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy={"server_options": "check"}, top={"defaults": defaults})
    assert not found.problems
    assert found.service["raw"].get("mode") == mode


def test_a_service_without_port_is_a_backend_only(tmp_path: Path) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy={"server_options": "check", "frontend": ["option httplog"]})
    assert not found.problems
    assert not {"listen", "tcp"} & found.service.keys()
    assert "frontend" not in found.service["raw"]


@pytest.mark.parametrize(
    ("haproxy", "note"),
    [
        *(
            pytest.param(
                {"backend_order": order},
                "backend_order: servers stand",
                id=f"A2 haproxy service: backend_order {order}",
            )
            for order in ("asc", "desc", "no_shuffle", "shuffle")
        ),
        pytest.param(
            {"use_nerve_weights": True}, "weights that entries say count", id="A2 haproxy service: use_nerve_weights"
        ),
        pytest.param(
            {"server_port_override": 81}, "is called backend_port_override", id="A2 haproxy service: deprecated"
        ),
        pytest.param(
            {"backend": ["cookie SRV insert"]}, "before 3.0 makes", id="A2 haproxy service: cookie_value_method, 2.6"
        ),
    ],
)
def test_what_a_service_says_in_vain(tmp_path: Path, haproxy: Any, note: str) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy=haproxy)
    assert not found.problems
    assert note in "\n".join(found.notes)


@pytest.mark.parametrize("key", [pytest.param("disabled", id="A2 haproxy service: disabled")])
def test_a_service_that_haproxy_does_not_serve_is_left_out(tmp_path: Path, key: str) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy={"port": 80, key: True})
    assert not found.service
    assert not found.problems
    assert "service web is left out: haproxy.disabled" in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("top", "haproxy"),
    [
        pytest.param(
            {"global": ["tune.bufsize 32768"]}, {"raw": {"global": ["tune.bufsize 32768"]}}, id="A2 haproxy: global"
        ),
        pytest.param(
            {"global": ["log     127.0.0.1 local0"]},
            {"raw": {"global": ["log     127.0.0.1 local0"]}},
            id="A2 haproxy: global log",
        ),
        pytest.param(
            {"global": ["user    haproxy", "group   haproxy", "maxconn 9", "nbthread 2", "chroot /x"]},
            {
                "user": "haproxy",
                "group": "haproxy",
                "max-connections": 9,
                "threads": 2,
                "raw": {"global": ["chroot /x"]},
            },
            id="A2 haproxy: global settings",
        ),
        pytest.param({"global": ["uid 0", "gid 0"]}, {"user": "root", "group": "root"}, id="A2 haproxy: global uid"),
        pytest.param(
            {"global": ["hard-stop-after 5000"]}, {"hard-stop-after": "5000ms"}, id="A2 haproxy: global hard-stop-after"
        ),
        pytest.param(
            {"defaults": ["mode http", "timeout  connect 5s", "contimeout 9"]},
            {"raw": {"defaults": ["timeout  connect 5s", "timeout connect 9"]}},
            id="A2 haproxy: defaults",
        ),
        pytest.param(
            {"extra_sections": SECTIONS},
            {"raw": {"sections": {"listen stats": ["mode http", "bind :3212", "stats enable"]}}},
            id="A2 haproxy: extra_sections",
        ),
        pytest.param(
            {"extra_sections": {"frontend in": ["bind :80", "use_backend web if TRUE"]}},
            {"raw": {"sections": {"frontend in": ["mode http", "bind :80", "use_backend web if TRUE"]}}},
            id="A2 haproxy: extra_sections, the mode of defaults",
        ),
        pytest.param(
            {"extra_sections": {"userlist ops": ["user ann password x"]}},
            {"raw": {"sections": {"userlist ops": ["user ann password x"]}}},
            id="A2 haproxy: extra_sections, not of a proxy",
        ),
        pytest.param(
            {"shared_frontend": ["bind 127.0.0.1:8081"]},
            {"raw": {"sections": {"frontend shared-frontend": ["mode http", "bind 127.0.0.1:8081"]}}},
            id="A2 haproxy: shared_frontend",
        ),
    ],
)
def test_a_key_for_all(tmp_path: Path, top: Any, haproxy: Any) -> None:
    found = web(tmp_path, ENSEMBLE, haproxy={}, top=top)
    assert not found.problems
    assert part(found.haproxy, haproxy), found.haproxy


@pytest.mark.parametrize("key", [pytest.param("shared_frontend", id="A2 haproxy service: shared_frontend")])
def test_services_add_to_the_shared_frontend_in_their_order(tmp_path: Path, key: str) -> None:
    lines = {name: [f"acl is_{name} hdr(host) {name}", f"use_backend {name} if is_{name}"] for name in ("a", "b")}
    services = {name: {"discovery": ENSEMBLE, "haproxy": {key: said}} for name, said in lines.items()}
    found = written(tmp_path, services=services, haproxy=HAPROXY | {"shared_frontend": ["bind :81"]})
    assert not found.problems
    section = found.haproxy["raw"]["sections"]["frontend shared-frontend"]
    assert section == ["mode http", "bind :81", *lines["a"], *lines["b"]]


@pytest.mark.parametrize("key", [pytest.param("bind_address", id="A2 haproxy: bind_address")])
def test_the_address_for_all_holds_unless_a_service_says_another(tmp_path: Path, key: str) -> None:
    services = {
        "a": {"discovery": ENSEMBLE, "haproxy": {"port": 80}},
        "b": {"discovery": ENSEMBLE, "haproxy": {"port": 80, "bind_address": "127.0.0.3"}},
    }
    found = written(tmp_path, services=services, haproxy=HAPROXY | {key: "127.0.0.2"})
    assert not found.problems
    assert [each["listen"] for each in found.document.data["services"].values()] == ["127.0.0.2:80", "127.0.0.3:80"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param(key, value, id=f"A2 haproxy: {key}")
        for key, value in {
            "do_writes": False,
            "do_socket": False,
            "do_checks": True,
            "do_reloads": False,
            "check_command": "haproxy -c",
            "candidate_config_file_path": "/tmp/x",
            "config_file_path": "/etc/haproxy/haproxy.cfg",
            "reload_command": "service haproxy reload",
            "socket_file_path": ["/run/a.sock", "/run/b.sock"],
            "restart_interval": 2,
            "restart_jitter": 0.1,
            "state_file_path": "/tmp/state.json",
            "state_file_ttl": 86400,
            "server_order_seed": 4,
            "max_server_id": 65535,
            "use_nerve_weights": False,
        }.items()
    ],
)
def test_what_is_said_in_vain_for_all(tmp_path: Path, key: str, value: Any) -> None:
    found = web(tmp_path, ENSEMBLE, top={key: value})
    assert not found.problems
    assert [note for note in found.notes if f"haproxy.{key}: " in note]


@pytest.mark.parametrize("key", [pytest.param("use_nerve_weights", id="A2 haproxy: use_nerve_weights, server_options")])
def test_a_weight_for_all_servers_goes_before_those_of_entries(tmp_path: Path, key: str) -> None:
    said = {"port": 80, "server_options": "check weight 5"}
    assert "its weight counts for every server" in "\n".join(
        web(tmp_path, ENSEMBLE, haproxy=said, top={key: True}).notes
    )
    assert "its weight counts" not in "\n".join(web(tmp_path, ENSEMBLE, haproxy=said).notes)


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    assert len(web(tmp_path, ENSEMBLE, top={"global": [{}], "use_nerve_weights": "maybe"}).problems) == 2


def test_nobody_is_not_become(tmp_path: Path) -> None:
    found = web(tmp_path, ENSEMBLE, top={"global": ["uid 3999999"]})
    assert not found.problems
    assert "uid 3999999 is left out" in "\n".join(found.notes)


@pytest.mark.parametrize("key", ["do_writes", "do_socket", "do_reloads"])
def test_what_longshore_does_anyway_is_no_news(tmp_path: Path, key: str) -> None:
    assert f"haproxy.{key}" not in "\n".join(web(tmp_path, ENSEMBLE, top={key: True}).notes)


def test_only_root_can_be_told_whom_to_become(tmp_path: Path) -> None:
    from longshore.compat.synapse import read

    web(tmp_path, ENSEMBLE, top={"global": ["user haproxy", "chroot /var/lib/haproxy", "spread-checks 5"]})
    found = read(tmp_path / "synapse.conf.json", {}, root=False)
    assert found.data["haproxy"]["raw"]["global"] == ["spread-checks 5"]
    assert "user" not in found.data["haproxy"]
    assert "chroot: is left out" in "\n".join(map(str, found.notes))


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        pytest.param({"a": {}, "b": {}}, {"directory": "/out"}, id="A2 file_output: output_directory"),
        pytest.param(
            {"a": {"file_output": {"disabled": True}}, "b": {}},
            {"directory": "/out", "services": ["b"]},
            id="A2 service: file_output disabled",
        ),
    ],
)
def test_endpoints_are_written_into_files(tmp_path: Path, services: Any, expected: Any) -> None:
    services = {name: {"discovery": ENSEMBLE, "haproxy": {}} | keys for name, keys in services.items()}
    found = written(tmp_path, services=services, file_output={"output_directory": "/out"})
    assert found.document.data["file-output"] == expected


def test_a_service_for_files_only_is_no_proxy(tmp_path: Path) -> None:
    services = {"a": {"discovery": ENSEMBLE, "haproxy": {"disabled": True, "port": 80}}}
    found = written(tmp_path, services=services, file_output={"output_directory": "/out"})
    assert "listen" not in found.document.data["services"]["a"]


@pytest.mark.parametrize("key", [pytest.param("statsd", id="A2 statsd: host, port, sample_rate")])
def test_metrics_take_the_place_of_statsd(tmp_path: Path, key: str) -> None:
    found = written(tmp_path, **{key: {"host": "localhost", "port": 8125, "sample_rate": {"synapse.x": 0.1}}})
    assert not found.problems
    assert "/metrics" in "\n".join(found.notes)
