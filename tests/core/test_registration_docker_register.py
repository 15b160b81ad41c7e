"""What is registered of a container as docker-register does it: its only published port, by its image."""

from __future__ import annotations

import pytest

from longshore.core.containers import Published
from longshore.core.registration import Options
from longshore.core.registration_docker_register import registration_of
from longshore.core.registrations import Registrations
from tests.core.made import container, published

OPTIONS = Options(owner="box.1", name="box", address="10.0.0.5", fixed=True, metadata="docker-register")
PUBLIC = published(8000, 32768)


@pytest.mark.parametrize(
    ("image", "service"),
    [
        pytest.param("whoami", "whoami", id="A4 repo: plain"),
        pytest.param("whoami:1.2", "whoami", id="A4 repo: without its tag"),
        pytest.param("local/nodeapp:1", "nodeapp", id="A4 repo: without what is before the first slash"),
        pytest.param("reg.test:5000/team/app:1", "team-app", id="A4 repo: several folders are one word"),
        pytest.param("app@sha256:00", "app", id="A4 repo: without its digest"),
        pytest.param("sha256:0011", "who-1", id="A4 repo: a bare id gives the container's name"),
    ],
)
def test_the_service_is_the_image(image: str, service: str) -> None:
    (each,) = registration_of(container("who-1", image=image, published=PUBLIC), OPTIONS).registrations
    assert (each.entry.service, each.entry.id) == (service, "000000000001")
    assert (each.entry.host, each.entry.port) == ("10.0.0.5", 32768)
    assert each.entry.labels == (("longshore.tcp", ":8000"),)


@pytest.mark.parametrize("_", [pytest.param(0, id="A4 HOST_IP: for ports published on another address too")])
def test_the_address_is_that_of_the_host(_: int) -> None:
    one = container("who", image="whoami", published=published(8000, 32768, "10.9.9.9"))
    (each,) = registration_of(one, OPTIONS).registrations
    assert each.entry.host == "10.0.0.5"


@pytest.mark.parametrize(
    ("ports", "what"),
    [
        pytest.param(
            (*PUBLIC, *published(9000, 32769)),
            "docker-register has no place for several ports, and it publishes 8000/tcp, 9000/tcp",
            id="A4 one port: several are said",
        ),
        pytest.param(
            (Published(53, "udp", "0.0.0.0", 53),),
            "docker-register has TCP ports only, and it publishes 53/udp",
            id="A4 one port: UDP is said",
        ),
        pytest.param(
            published(8000, 32768, "127.0.0.1"),
            "port 8000 is published only on 127.0.0.1, where no other host can reach it",
            id="A4 one port: loopback is said",
        ),
    ],
)
def test_others_are_said(ports: tuple[Published, ...], what: str) -> None:
    found = registration_of(container("who", image="whoami", published=ports), OPTIONS)
    assert found.registrations == ()
    assert [each.what for each in found.problems] == [what]


@pytest.mark.parametrize("_", [pytest.param(0, id="A4 one port: those without any are named, once")])
def test_containers_that_publish_nothing_are_named_once(_: int) -> None:
    registrations = Registrations(OPTIONS)
    registrations.replace_all(container(f"db-{number}", number=number) for number in range(1, 6))
    ((told,),) = (registrations.build()[1],)
    assert told.what == "containers that publish no port are not registered: db-1, db-2, db-3 and 2 more"
    registrations.replace_all([container("db-1", labels={"register": "false"})])
    assert registrations.build() == ((), ())
