"""What people do with containers, and what clients notice of it: nothing, or exactly what was meant."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import ports
from tests.lab.balancer import Balancer
from tests.lab.engine import BARE, Engine
from tests.lab.load import Load
from tests.lab.waiting import until
from tests.system.labelling import labels

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shared(_engine: Engine) -> Iterator[Balancer]:
    with Balancer(engine=_engine) as balancer:
        yield balancer


@pytest.fixture
def balancer(shared: Balancer, engine: Engine) -> Iterator[Balancer]:
    """One balancer for the whole file: tests use hosts and services of their own. None of this costs a reload."""
    reloads = shared.reloads
    yield shared
    print(shared.log_text()[-20000:])  # noqa: T201 - pytest shows it when the test failed
    assert shared.reloads == reloads


def only(balancer: Balancer, service: str) -> Any:
    """The only endpoint of a service, as status tells it."""
    (endpoint,) = balancer.service(service)["endpoints"]
    return endpoint


def until_state(balancer: Balancer, service: str, state: str, why: str = "") -> None:
    def met() -> bool:
        endpoint = only(balancer, service)
        assert endpoint["state"] == state, endpoint
        return why in endpoint["reason"]

    until(met, what=f"{service} is {state} ({why})")


def test_a_healthcheck_decides(balancer: Balancer, engine: Engine) -> None:
    check = "HEALTHCHECK --interval=300ms --timeout=5s --retries=1 CMD"
    engine.load("lab/checked:1", "EXPOSE 8000", f'{check} ["/bin/web", "healthy"]')
    engine.load("lab/never:1", "EXPOSE 8000", f'{check} ["/bin/nothing"]')
    said = labels("healthy", host="healthy.test")
    never = engine.run(image="lab/never:1", labels=labels("never", host="never.test"))
    web = engine.run(image="lab/checked:1", labels=said)
    assert balancer.serves("healthy.test", 1) == {web.short}
    web.get("/fail?on")
    until_state(balancer, "healthy", "waiting", "unhealthy")
    assert balancer.request("healthy.test").status == 503
    web.get("/fail?off")
    assert balancer.serves("healthy.test", 1) == {web.short}
    until_state(balancer, "never", "waiting", "HEALTHCHECK")
    assert balancer.request("never.test").status == 503
    assert never.get("/count") == "0\n"


def test_a_paused_container_gets_nothing(balancer: Balancer, engine: Engine) -> None:
    """A request that was in it when it froze is answered when it thaws."""
    said = labels("pausing", host="pausing.test")
    one, two = engine.run(labels=said), engine.run(labels=said)
    balancer.serves("pausing.test", 2)
    with Load(port=balancer.port, host="pausing.test", rate=40) as load:
        load.more(10)
        one.pause()
        balancer.until_up("pausing", 1)
        assert balancer.serves("pausing.test", 1) == {two.short}
        one.unpause()
        assert balancer.serves("pausing.test", 2) == {one.short, two.short}
    assert load.report.lost == 0, load.report


def test_sighup_to_a_container_changes_nothing(balancer: Balancer, engine: Engine) -> None:
    """`docker kill -s HUP` is how people reload what runs inside."""
    web = engine.run(labels=labels("hup", host="hup.test"), env={"IGNORE": 1})
    balancer.until_up("hup", 1)
    before = only(balancer, "hup")
    with Load(port=balancer.port, host="hup.test", rate=40) as load:
        load.more(10)
        engine.docker("kill", "-s", "HUP", web.id)  # as process 1 without a handler it does not even notice
        engine.run(labels=labels("hup-after", host="hup-after.test"))
        balancer.until_up("hup-after", 1)
        load.more(10)
    assert load.report.lost == 0, load.report
    now = only(balancer, "hup")
    assert {**now, "sessions": 0} == {**before, "sessions": 0}
    engine.docker("kill", "-s", "KILL", web.id)
    balancer.until_up("hup", 0)
    assert balancer.request("hup.test").status == 503


def test_a_renamed_container_goes_on_under_its_new_name(balancer: Balancer, engine: Engine) -> None:
    web = engine.run("before", labels=labels("renaming", host="renaming.test"))
    balancer.until_up("renaming", 1)
    with Load(port=balancer.port, host="renaming.test", rate=40) as load:
        load.more(10)
        web.rename("after")
        balancer.until(lambda _: only(balancer, "renaming")["name"] == "after", "the new name is shown")
        balancer.until_up("renaming", 1)
        load.more(10)
    assert load.report.lost == 0, load.report


def test_a_renamed_container_without_a_service_name_keeps_its_image_as_name(balancer: Balancer, engine: Engine) -> None:
    engine.load("local/app:2", "EXPOSE 8000")
    web = engine.run("one", image="local/app:2", labels={"longshore.enable": "true"})
    assert balancer.serves("app.localhost", 1) == {web.short}
    web.rename("two")
    balancer.until(lambda _: only(balancer, "app")["name"] == "two")
    assert balancer.serves("app.localhost", 1) == {web.short}


def test_networks_disconnected_and_connected(balancer: Balancer, engine: Engine) -> None:
    web = engine.run("moving", labels=labels("moving", host="moving.test"))
    balancer.until_up("moving", 1)
    engine.docker("network", "disconnect", "bridge", web.id)
    until(lambda: balancer.request("moving.test").status == 503, what="it is out")
    problems = balancer.until(lambda status: [p for p in status["problems"] if web.name in p["where"]])["problems"]
    assert "it is in no network" in str(problems)
    engine.network("first")
    engine.docker("network", "connect", "first", web.id)
    assert balancer.serves("moving.test", 1) == {web.short}
    assert only(balancer, "moving")["address"] == web.networks()["first"]
    assert "network first" in only(balancer, "moving")["reason"]


def test_the_label_network_chooses_among_several(balancer: Balancer, engine: Engine) -> None:
    engine.network("a-net")
    engine.network("b-net")
    said = labels("choosing", host="choosing.test", network="b-net")
    web = engine.run("choosing", labels=said, args=("--network", "a-net"))
    problems = balancer.until(lambda status: [p for p in status["problems"] if web.name in p["where"]])["problems"]
    assert "is not in network b-net" in str(problems)
    engine.docker("network", "connect", "b-net", web.id)
    assert balancer.serves("choosing.test", 1) == {web.short}
    assert only(balancer, "choosing")["address"] == web.networks()["b-net"]
    engine.docker("network", "disconnect", "a-net", web.id)
    assert balancer.serves("choosing.test", 1) == {web.short}


def test_a_crash_under_a_restart_policy_comes_back(balancer: Balancer, engine: Engine) -> None:
    said = labels("crashing", host="crashing.test")
    web = engine.run(labels=said, args=("--restart", "always"))
    balancer.until_up("crashing", 1)
    before = web.pid
    os.kill(before, signal.SIGKILL)
    until(lambda: web.pid not in (before, 0), what="it runs again")
    assert balancer.serves("crashing.test", 1) == {web.short}
    web.restart()
    assert balancer.serves("crashing.test", 1) == {web.short}


def test_published_ports_and_the_host_network(balancer: Balancer, engine: Engine) -> None:
    published = engine.run(labels=labels("published", host="published.test", address="published"), args=("-p", "8000"))
    port = ports.free()
    on_host = labels("on-host", host="on-host.test", port=port)
    engine.run(image=BARE, labels=on_host, env={"PORT": port, "NAME": "on-host"}, args=("--network", "host"))
    assert balancer.serves("published.test", 1) == {published.short}
    endpoint = only(balancer, "published")
    assert (endpoint["address"], endpoint["port"]) == ("127.0.0.1", published.published())
    assert "published port" in endpoint["reason"]
    assert balancer.serves("on-host.test", 1) == {"on-host"}
    endpoint = only(balancer, "on-host")
    assert (endpoint["address"], endpoint["port"]) == ("127.0.0.1", port)
    assert "the host's network" in endpoint["reason"]


def test_an_ipv6_address(balancer: Balancer, engine: Engine) -> None:
    engine.network("six", "--ipv6", "--subnet", "fd00:77::/64")
    said = labels("six", host="six.test", address="[fd00:77::5]:8000")
    web = engine.run(labels=said, args=("--network", "six", "--ip6", "fd00:77::5"))
    assert balancer.serves("six.test", 1) == {web.short}
    assert only(balancer, "six")["address"] == "fd00:77::5"
    assert ":" in balancer.request("six.test").text.partition("peer=")[2].split()[0]  # whichever the kernel chose


def test_a_container_that_cannot_be_served_harms_nobody_and_says_why(balancer: Balancer, engine: Engine) -> None:
    """No port, several ports, a misspelled label; without our labels it is no concern at all."""
    neighbour = engine.run(labels=labels("neighbour", host="neighbour.test"))
    engine.run("portless", image=BARE, labels=labels("portless", host="portless.test"))
    engine.run("several", labels=labels("several", host="several.test"), args=("--expose", "9000"))
    engine.run("misspelled", labels={**labels("misspelled"), "longshore.hsot": "misspelled.test"})
    engine.run("foreign")
    engine.run("off", labels=labels("off", host="off.test", enable="false"))
    status = balancer.until(
        lambda status: (
            {"container portless", "container several", "container misspelled"}
            <= {problem["where"] for problem in status["problems"]}
        )
    )
    said = {problem["where"]: f"{problem['what']} {problem['hint']}" for problem in status["problems"]}
    assert "longshore.port=8000" in said["container portless"]
    assert "8000 or 9000" in said["container several"]
    assert "did you mean host" in said["container misspelled"]
    assert not {"container foreign", "container off"} & said.keys()
    for name in ("portless", "several", "misspelled", "foreign", "off"):
        assert balancer.service(name) == {}
        assert balancer.request(f"{name}.test").status == 404
    assert balancer.serves("neighbour.test", 1) == {neighbour.short}
