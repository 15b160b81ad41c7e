"""What is registered of a container in registrator's manner: its table of metadata, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.core.containers import Container, Network, Published
from longshore.core.registration import Options, Registration
from longshore.core.registration_registrator import registration_of
from longshore.core.registrator import said_of, tags_in
from tests.core.made import container, published

OPTIONS = Options(owner="box.1", name="box", address="10.0.0.5", metadata="registrator", expose="all")
PUBLIC = published(8000, 32768)
TWO = (*published(80, 32000), *published(443, 32001))


def _options(**options: Any) -> Options:
    return Options(**{name: getattr(OPTIONS, name) for name in OPTIONS.__dataclass_fields__} | options)


def made(one: Container, **options: Any) -> dict[str, Registration]:
    """The registrations of a container, which has no problem, by their keys."""
    found = registration_of(one, _options(**options))
    assert found.problems == ()
    return {each.key: each for each in found.registrations}


def places(one: Container, **options: Any) -> dict[str, str]:
    """Where its entries say that it is reached."""
    return {key: f"{each.entry.host}:{each.entry.port}" for key, each in made(one, **options).items()}


def run(env: dict[str, str] | None = None, tags: dict[str, str] | None = None, **more: Any) -> Container:
    """A container of registrator's documentation: `redis.0`, with labels as they are written there."""
    more = {"image": "progrium/redis:2", "published": published(6379, 10000)} | more
    return Container("a" * 64, "redis.0", env=env or {}, labels=tags or {}, hostname="c0ffee", **more)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(run(), {"redis/box:redis.0:6379"}, id="A5 SERVICE_NAME: the image without folders and tag"),
        pytest.param(
            run(image="r:5000/a/b@sha256:1"), {"b/box:redis.0:6379"}, id="A5 SERVICE_NAME: registry and digest"
        ),
        pytest.param(
            run({"SERVICE_NAME": "db"}), {"db/box:redis.0:6379"}, id="A5 SERVICE_NAME: said by the environment"
        ),
        pytest.param(
            run({"SERVICE_NAME": "db"}, {"SERVICE_NAME": "cache"}),
            {"cache/box:redis.0:6379"},
            id="A5 metadata: labels override the environment",
        ),
        pytest.param(
            run(published=TWO),
            {"redis-80/box:redis.0:80", "redis-443/box:redis.0:443"},
            id="A5 SERVICE_NAME: the port behind it when there are several",
        ),
        pytest.param(
            run({"SERVICE_NAME": "web", "SERVICE_443_NAME": "https"}, published=TWO),
            {"web-80/box:redis.0:80", "https/box:redis.0:443"},
            id="A5 SERVICE_port_NAME: stands alone",
        ),
        pytest.param(
            run({"SERVICE_443_ID": "https.12345"}, published=TWO),
            {"redis-80/box:redis.0:80", "redis-443/https.12345"},
            id="A5 SERVICE_ID: of one port",
        ),
        pytest.param(run({"SERVICE_IGNORE": "no"}), set(), id="A5 SERVICE_IGNORE: any value"),
        pytest.param(
            run({"SERVICE_80_IGNORE": "1"}, published=TWO),
            {"redis-443/box:redis.0:443"},
            id="A5 SERVICE_IGNORE: of one port, which counts for the others' names",
        ),
        pytest.param(
            run({"SERVICE_IGNORE": ""}), {"redis/box:redis.0:6379"}, id="A5 SERVICE_IGNORE: empty says nothing"
        ),
        pytest.param(
            run(published=(Published(53, "udp", "0.0.0.0", 53),)),
            {"redis/box:redis.0:53:udp"},
            id="A5 ID: hostname:container:port:udp",
        ),
        pytest.param(run(published=(), exposed=((6379, "tcp"),)), set(), id="A5 -internal: not said, not published"),
        pytest.param(
            run(published=(), exposed=((6379, "tcp"),), network_mode="host"),
            {"redis/box:redis.0:6379"},
            id="A5 ID: of the host's network",
        ),
        pytest.param(run(tags={"longshore.register": "false"}), set(), id="A5 SERVICE_IGNORE: as longshore says it"),
    ],
)
def test_names_and_ids(one: Container, expected: set[str]) -> None:
    assert set(made(one)) == expected


def test_an_entry_tells_what_registrator_tells() -> None:
    env = {"SERVICE_TAGS": "master,backups", "SERVICE_REGION": "us2", "SERVICE_6379_SNI": "on", "SERVICE_80_SNI": "no"}
    (each,) = made(run(env), tags=("blue",)).values()
    entry = each.entry
    assert (entry.service, entry.host, entry.port, entry.name) == ("redis", "10.0.0.5", 10000, "redis.0")
    assert entry.labels == (("region", "us2"), ("sni", "on"))
    assert entry.tags == ("backups", "master", "blue")
    assert entry.inside is not None
    assert (entry.inside.id, entry.inside.hostname, entry.inside.port) == ("a" * 64, "c0ffee", 6379)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        pytest.param("", [], id="A5 SERVICE_TAGS: none"),
        pytest.param("foo", ["foo"], id="A5 SERVICE_TAGS: one"),
        pytest.param("foo,bar", ["bar", "foo"], id="A5 SERVICE_TAGS: the last comes first"),
        pytest.param("foo\\,bar", ["foo,bar"], id="A5 SERVICE_TAGS: a comma in one"),
        pytest.param("\\,foobar\\,", [",foobar,"], id="A5 SERVICE_TAGS: commas around one"),
        pytest.param(",,,,foo,,,bar,,,", ["bar", "foo"], id="A5 SERVICE_TAGS: empty ones are none"),
        pytest.param(",,\\,,", [","], id="A5 SERVICE_TAGS: a comma alone"),
        pytest.param("/(;\\,:-_)/", ["/(;,:-_)/"], id="A5 SERVICE_TAGS: of its documentation"),
    ],
)
def test_tags_are_taken_apart(text: str, tags: list[str]) -> None:
    assert tags_in(text) == tags


@pytest.mark.parametrize(
    ("options", "one", "expected"),
    [
        pytest.param({"fixed": True}, run(published=published(6379, 10000, "10.9.9.9")), "10.0.0.5:10000", id="A5 -ip"),
        pytest.param({}, run(published=published(6379, 10000, "10.9.9.9")), "10.9.9.9:10000", id="A5 -ip: not said"),
        pytest.param(
            {"networks": ("*",)},
            run(networks=(Network("front", ipv4="172.20.0.9"), Network("bridge", ipv4="172.17.0.9"))),
            "172.17.0.9:6379",
            id="A5 -internal",
        ),
        pytest.param(
            {"address_label": "ip"}, run(tags={"ip": "10.1.2.3/24"}), "10.1.2.3:10000", id="A5 -useIpFromLabel"
        ),
        pytest.param(
            {"address_label": "ip", "networks": ("*",)},
            run(tags={"ip": "10.1.2.3"}, networks=(Network("bridge", ipv4="172.17.0.9"),)),
            "10.1.2.3:6379",
            id="A5 -useIpFromLabel: with -internal",
        ),
        pytest.param({"address_label": "ip"}, run(), "10.0.0.5:10000", id="A5 -useIpFromLabel: a container without it"),
    ],
)
def test_addresses(options: dict[str, Any], one: Container, expected: str) -> None:
    assert list(places(one, **options).values()) == [expected]


@pytest.mark.parametrize(
    ("one", "names"),
    [
        pytest.param(run(), [], id="A5 -explicit"),
        pytest.param(run({"SERVICE_NAME": "db"}), ["db"], id="A5 -explicit: a name"),
        pytest.param(run({"SERVICE_80_NAME": "x"}, published=TWO), ["x"], id="A5 -explicit: the name of one port"),
    ],
)
def test_explicit_takes_only_what_has_a_name(one: Container, names: list[str]) -> None:
    assert [each.entry.service for each in made(one, expose="labelled").values()] == names


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param(("a", "b"), ("a", "b"), id="A5 -tags"),
        pytest.param(
            ("x-{{ .Config.Hostname }},{{toUpper .Name}}",), ("/REDIS.0", "x-c0ffee"), id="A5 -tags: a template"
        ),
        pytest.param(('{{ mIndex "none" .Config.Labels }}',), (), id="A5 -tags: a template that gives nothing"),
    ],
)
def test_tags_of_the_configuration(tags: tuple[str, ...], expected: tuple[str, ...]) -> None:
    (each,) = made(run(), tags=tags).values()
    assert each.entry.tags == expected


@pytest.mark.parametrize(
    ("env", "check"),
    [
        pytest.param({}, "tcp", id="A5 checks: none said"),
        pytest.param({"SERVICE_CHECK_HTTP": "/ok"}, "/ok", id="A5 CHECK_HTTP: made before it is registered too"),
        pytest.param({"SERVICE_6379_CHECK_HTTPS": "/ok"}, "https:/ok", id="A5 CHECK_HTTPS: made before"),
        pytest.param({"SERVICE_CHECK_GRPC": "true"}, "grpc", id="A5 CHECK_GRPC: made before"),
        pytest.param({"SERVICE_CHECK_TCP": "true"}, "tcp", id="A5 CHECK_TCP: made before"),
        pytest.param({"SERVICE_CHECK_SCRIPT": "nc"}, "tcp", id="A5 CHECK_SCRIPT: Consul's to make"),
        pytest.param({"SERVICE_CHECK_HTTP": "health"}, "tcp", id="A5 CHECK_HTTP: no path"),
    ],
)
def test_it_is_checked_before_it_is_registered(env: dict[str, str], check: str) -> None:
    (each,) = made(run(env)).values()
    assert str(each.check.kind) == check


def test_udp_is_registered_without_a_check_and_kept_from_balancers() -> None:
    (each,) = made(run({"SERVICE_TAGS": "a"}, published=(Published(53, "udp", "0.0.0.0", 5353),))).values()
    assert each.check.kind.kind == "none"
    assert each.entry.tags == ("a", "udp")
    assert dict(each.entry.labels)["longshore.enable"] == "false"


def test_what_cannot_be_registered_is_said() -> None:
    local = run(published=published(6379, 10000, "127.0.0.1"))
    (told,) = registration_of(local, _options(fixed=True)).problems
    assert "where no other host can reach it" in told.what
    (told,) = registration_of(run(tags={"ip": "nowhere"}), _options(address_label="ip")).problems
    assert told.what == 'label ip says no IP address: "nowhere"'
    (told,) = registration_of(run(), _options(tags=("{{ toUpper .Config.Env }}",))).problems
    assert told.what.startswith("toUpper cannot work on what it is given")


def test_containers_that_end_or_are_none_of_ours_are_as_with_labels() -> None:
    assert not made(run(status="exited"))
    assert not made(container("x", published=PUBLIC, labels={"enable": "false"}))


def test_metadata_of_other_ports_and_odd_keys_says_nothing() -> None:
    said = said_of({"SERVICE_80": "x", "SERVICE_81_A": "1", "service_b": "2", "SERVICE_C_D": "3"}, {}, 80)
    assert said.attrs == {"80": "x", "c_d": "3"}
