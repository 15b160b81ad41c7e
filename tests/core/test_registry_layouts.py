"""Layouts of registries: byte for byte what the legacy programs write, and nothing that anybody writes breaks them."""

from __future__ import annotations

import json

import pytest

from longshore.core.entries import Broken, Entry, Setting
from longshore.core.layouts import LAYOUTS, layout_of
from longshore.core.layouts.docker_register import CHECKS

PREFIX = "/longshore/services"
NERVE = Entry("web", "i-1", "10.0.0.5", 31000, name="i-1")
WEIGHED = Entry(
    "web", "i-1", "10.0.0.5", 31000, "i-1", 10, (("az", "eu-1"), ("v", "2")), server_options="check inter 2s"
)
FULL = Entry(
    "web",
    "h1:web-1:8000",
    "10.0.0.5",
    31000,
    "web-1",
    50,
    (("longshore.host", "a.test"), ("tier", "ü")),
    tags=("blue",),
    zone="eu-1a",
    owner="h1.0a1b2c3d",
    machine="h1",
    since=1700000000.5,
)
WEIGHED_JSON = (
    '{"host":"10.0.0.5","port":31000,"name":"i-1","weight":10,'
    '"haproxy_server_options":"check inter 2s","labels":{"az":"eu-1","v":"2"}}'
)
# echo -n '{"host":"10.0.0.5","port":31000,"name":"i-1"}' | base64 -w0 | tr '+/' '-_' ; 60 characters
ENCODED = "eyJob3N0IjoiMTAuMC4wLjUiLCJwb3J0IjozMTAwMCwibmFtZSI6ImktMSJ9"


@pytest.mark.parametrize(
    ("layout", "entry", "key", "value"),
    [
        ("native", NERVE, f"{PREFIX}/web/i-1", '{"host":"10.0.0.5","port":31000,"name":"i-1"}'),
        ("native", WEIGHED, f"{PREFIX}/web/i-1", WEIGHED_JSON),
        (
            "native",
            FULL,
            f"{PREFIX}/web/h1:web-1:8000",
            '{"host":"10.0.0.5","port":31000,"name":"web-1","weight":50,'
            '"labels":{"longshore.host":"a.test","tier":"ü"},"tags":["blue"],"zone":"eu-1a","machine":"h1","owner":"h1.0a1b2c3d",'
            '"since":1700000000.5}',
        ),
        ("nerve", NERVE, f"{PREFIX}/web/services/i-1_", '{"host":"10.0.0.5","port":31000,"name":"i-1"}'),
        ("nerve", WEIGHED, f"{PREFIX}/web/services/i-1_", WEIGHED_JSON),
        ("registrator", Entry("web", "h1:web-1:80", "10.0.0.5", 31000), f"{PREFIX}/web/h1:web-1:80", "10.0.0.5:31000"),
        ("registrator", Entry("web", "h1:web-1:80", "fd00::5", 31000), f"{PREFIX}/web/h1:web-1:80", "[fd00::5]:31000"),
        ("consulkv", Entry("web", "h1:web-1:80", "10.0.0.5", 80), f"{PREFIX}/web/h1:web-1:80", "10.0.0.5:80"),
        (
            "docker-register",
            Entry("whoami", "4f3c2a1b0c9d", "10.0.0.5", 1),
            f"{PREFIX}/whoami/4f3c2a1b0c9d",
            "10.0.0.5:1",
        ),
    ],
)
def test_what_is_written_is_exactly_what_the_forerunner_writes(layout: str, entry: Entry, key: str, value: str) -> None:
    write = LAYOUTS[layout].write
    assert write is not None
    assert write(PREFIX, entry) == (key, value.encode())


def test_nerve_with_path_encoding_writes_the_payload_into_the_name() -> None:
    write = layout_of("nerve", path_encoding=True).write
    assert write is not None
    key, value = write(PREFIX, NERVE)
    assert key == f"{PREFIX}/web/services/base64_{len(ENCODED)}_{ENCODED}_"
    assert value == b'{"host":"10.0.0.5","port":31000,"name":"i-1"}'
    huge = Entry("web", "i-1", "10.0.0.5", 31000, name="n" * 60_000)
    assert write(PREFIX, huge)[0] == f"{PREFIX}/web/services/i-1_", "Nerve writes plainly what is over 64 KiB"


@pytest.mark.parametrize(
    ("identity", "labels", "port"),
    [
        ("4f3c2a1b0c9d:8000", (), b"8000"),
        ("4f3c2a1b0c9d:8000", (("longshore.tcp", ":5432"),), b"5432"),
        ("4f3c2a1b0c9d", (("longshore.port", "8000"),), b"8000"),
        ("4f3c2a1b0c9d", (), None),
        ("10.0.0.5:32768", (), None),
        ("[fd00::5]:32768", (), None),
        ("4f3c2a1b0c9d:99999", (("longshore.tcp", "10.0.0.1:5432"),), None),
    ],
)
def test_docker_register_writes_the_service_s_port_too(
    identity: str, labels: tuple[tuple[str, str], ...], port: bytes | None
) -> None:
    """As the labels say it, else the container's; the one published is another on each host."""
    also = LAYOUTS["docker-register"].also
    assert also is not None
    entry = Entry("whoami", identity, "10.0.0.5", 32768, labels=labels)
    assert also("/backends", entry) == (None if port is None else ("/backends/whoami/port", port))


def test_docker_register_has_no_udp() -> None:
    write = LAYOUTS["docker-register"].write
    assert write is not None
    labels = (("longshore.enable", "false"), ("protocol", "udp"))
    with pytest.raises(ValueError, match="UDP"):
        write("/backends", Entry("dns", "4f3c2a1b0c9d:53:udp", "10.0.0.5", 53, labels=labels))


@pytest.mark.parametrize("part", ["", "a/b", "..", "a\0b"])
@pytest.mark.parametrize("layout", [name for name, layout in LAYOUTS.items() if layout.write])
def test_an_id_that_would_leave_its_place_is_never_written(layout: str, part: str) -> None:
    write = LAYOUTS[layout].write
    assert write is not None
    for entry in (Entry(part, "id", "10.0.0.5", 80), Entry("web", part, "10.0.0.5", 80)):
        if layout == "nerve" and entry.id in ("", ".."):
            continue  # "_" and ".._" are plain names
        with pytest.raises(ValueError, match="cannot be part of a key"):
            write(PREFIX, entry)


@pytest.mark.parametrize(
    ("layout", "key", "value", "expected"),
    [
        ("native", "web/i-1", '{"host":"10.0.0.5","port":31000,"name":"i-1"}', NERVE),
        ("native", "web/i-1_0000000012", '{"host":"10.0.0.5","port":31000,"name":"i-1"}', NERVE),
        ("native", "web/i-1_-147483648", '{"host":"10.0.0.5","port":31000,"name":"i-1"}', NERVE),
        ("native", "web/i-1", '{"host":"10.0.0.5","port":"31000","name":"i-1","later":[{}]}', NERVE),
        ("native", "web/i-1", WEIGHED_JSON, WEIGHED),
        ("native", "web", "", None),
        ("native", "", "", None),
        (
            "native",
            "web/a",
            '{"host":"VM1.internal.","port":80,"labels":{"on":true,"n":2,"no":null}}',
            Entry("web", "a", "vm1.internal", 80, labels=(("n", "2"), ("on", "true"))),
        ),
        (
            "nerve",
            "web/services/i-1_0000000012",
            '{"host":"10.0.0.5","port":31000,"name":"i-1"}',
            Entry("web", "10.0.0.5:31000", "10.0.0.5", 31000, "i-1", rank=13),
        ),
        (
            "nerve",
            f"web/base64_{len(ENCODED)}_{ENCODED}_0000000012",
            "",
            Entry("web", "10.0.0.5:31000", "10.0.0.5", 31000, "i-1", rank=13),
        ),
        (
            "nerve",
            f"web/base64_{len(ENCODED)}_{ENCODED}_0000000012",
            '{"host":"10.9.9.9","port":1}',
            Entry("web", "10.0.0.5:31000", "10.0.0.5", 31000, "i-1", rank=13),
        ),
        ("nerve", "web/base64_7_no_json_0000000012", '{"host":"h","port":1}', Entry("web", "h:1", "h", 1, rank=13)),
        ("nerve", "eu/web/services/i-1_", '{"host":"fd00::5","port":1}', Entry("eu-web", "[fd00::5]:1", "fd00::5", 1)),
        ("nerve", "web", '{"haproxy":{"server_options":"check"}}', None),
        ("nerve", "web/services", "", None),
        (
            "serverset",
            "role/env/web/member_0000000012",
            '{"serviceEndpoint":{"host":"h1","port":31943},"additionalEndpoints":{},"status":"ALIVE","shard":0}',
            Entry("role-env-web", "h1:31943", "h1", 31943, "0", status="passing", rank=13),
        ),
        (
            "serverset",
            "web/member_0000000012",
            '{"serviceEndpoint":{"host":"h1","port":31943},"status":"STOPPING"}',
            Entry("web", "h1:31943", "h1", 31943, status="critical", rank=13),
        ),
        ("serverset", "web", "", None),
        (
            "registrator",
            "web/h1:web-1:80",
            "10.0.0.5:31000",
            Entry("web", "h1:web-1:80", "10.0.0.5", 31000, "web-1", owner="h1", machine="h1"),
        ),
        (
            "registrator",
            "web/h1:web-1:80",
            "[fd00::5]:31000",
            Entry("web", "h1:web-1:80", "fd00::5", 31000, "web-1", owner="h1", machine="h1"),
        ),
        ("registrator", "dns/h1:dns:53:udp", "10.0.0.5:53", None),
        (
            "registrator",
            "web/10.0.0.5:31000",
            '{"Name":"web","IP":"10.0.0.5","PublicPort":31000,"PrivatePort":80,"ContainerID":"4f3c",'
            '"Tags":["blue"],"Attrs":{"version":"2"}}',
            Entry("web", "10.0.0.5:31000", "10.0.0.5", 31000, "4f3c", labels=(("version", "2"),), tags=("blue",)),
        ),
        (
            "registrator",
            "web/10.0.0.5:31000",
            '{"Name":"web","IP":"10.0.0.5","PublicPort":31000,"PrivatePort":80,"ContainerID":"","Tags":null,"Attrs":null}',
            Entry("web", "10.0.0.5:31000", "10.0.0.5", 31000),
        ),
        (
            "docker-register",
            "whoami/4f3c2a1b0c9d",
            "10.0.0.5:32768",
            Entry("whoami", "4f3c2a1b0c9d", "10.0.0.5", 32768, "4f3c2a1b0c9d"),
        ),
        (
            "docker-register",
            "local/whoami/4f3c2a1b0c9d",
            "10.0.0.5:32768",
            Entry("local-whoami", "4f3c2a1b0c9d", "10.0.0.5", 32768, "4f3c2a1b0c9d"),
        ),
        ("docker-register", "whoami/port", "8000", Setting("whoami", (*CHECKS, ("longshore.tcp", ":8000")))),
    ],
)
def test_what_the_forerunners_write_is_read(layout: str, key: str, value: str, expected: object) -> None:
    assert LAYOUTS[layout].read(PREFIX, f"{PREFIX}/{key}", value.encode()) == expected


def test_a_service_s_own_folder_can_be_the_prefix() -> None:
    value = b'{"host":"10.0.0.5","port":1}'
    for prefix in ("/nerve/services/web/services", "/nerve/services/web"):
        found = LAYOUTS["nerve"].read(prefix, f"{prefix}/i-1_0000000001", value)
        assert isinstance(found, Entry)
        assert found.service == "web"


def test_consul_s_keys_have_no_leading_slash() -> None:
    found = LAYOUTS["consulkv"].read("/services", "services/web/h1:web-1:80", b"10.0.0.5:80")
    assert isinstance(found, Entry)
    assert (found.service, found.id) == ("web", "h1:web-1:80")


def test_serverset_can_use_a_named_endpoint() -> None:
    value = json.dumps(
        {
            "serviceEndpoint": {"host": "h1", "port": 1},
            "additionalEndpoints": {"http": {"host": "h1", "port": 2}},
            "status": "ALIVE",
        }
    ).encode()
    key = f"{PREFIX}/web/member_0000000001"
    found = layout_of("serverset", endpoint="http").read(PREFIX, key, value)
    assert isinstance(found, Entry)
    assert found.port == 2
    assert layout_of("serverset", endpoint="admin").read(PREFIX, key, value) == Broken(
        key, 'has no endpoint named "admin"', 'its additional endpoints: "http"'
    )


@pytest.mark.parametrize(
    ("layout", "key", "value", "what"),
    [
        ("native", "web/a", b"", "is empty"),
        ("native", "web/a", b"10.0.0.5:80", 'is not JSON: "10.0.0.5:80"'),
        ("native", "web/a", b"\xff\xfe\x00", 'is not JSON: "\ufffd\ufffd\\x00"'),
        ("native", "web/a", b"[1]", 'is not a JSON object: "[1]"'),
        ("native", "web/a", b"{}", "says no host"),
        ("native", "web/a", b'{"host":"h"}', "says no port"),
        ("native", "web/a", b'{"host":"h","port":0}', 'port is not a port from 1 to 65535: "0"'),
        ("native", "web/a", b'{"host":"h","port":true}', 'port is not a port from 1 to 65535: "True"'),
        ("native", "web/a", b'{"host":"h","port":80.5}', 'port is not a port from 1 to 65535: "80.5"'),
        ("native", "web/a", b'{"host":5,"port":80}', "host is not text"),
        (
            "native",
            "web/a",
            b'{"host":"a b","port":80}',
            'host: "a b" is neither an IP address nor a host name',
        ),
        ("native", "web/a", b'{"host":"h","port":80,"weight":-1}', 'weight is not a whole number from 0: "-1"'),
        ("native", "web/a", b'{"host":"h","port":80,"labels":[]}', "labels is not a JSON object"),
        ("native", "web/a", b'{"host":"h","port":80,"labels":{"a":{}}}', 'label "a" is not text'),
        ("native", "web/a", b'{"host":"h","port":80,"name":"\\ud800"}', "is not JSON"),
        ("native", "web/a", b" " * 300_000, "is 300,000 bytes large; at most 262,144 are read"),
        ("native", "web/a", b"[" * 100_000, "is nested too deeply"),
        ("native", "web/a/b", b"{}", "is not <prefix>/<service>/<endpoint>"),
        ("native", "stray", b"x", "is not <prefix>/<service>/<endpoint>"),
        ("nerve", "web/i-1_0000000001", b"", "is empty"),
        ("serverset", "web/member_0000000001", b"{}", "has no serviceEndpoint"),
        ("registrator", "web/a", b"10.0.0.5", 'is not "host:port": "10.0.0.5"'),
        ("registrator", "web/a", b"10.0.0.5:99999", 'port is not a port from 1 to 65535: "99999"'),
        ("docker-register", "web/port", b"http", "is not a port from 1 to 65535"),
        ("docker-register", "stray", b"x", "is not <prefix>/<image>/<container id>"),
    ],
)
def test_what_cannot_be_an_entry_is_said_in_words(layout: str, key: str, value: bytes, what: str) -> None:
    found = LAYOUTS[layout].read(PREFIX, f"{PREFIX}/{key}", value)
    assert isinstance(found, Broken)
    assert found.key == f"{PREFIX}/{key}"
    assert found.what.startswith(what)
