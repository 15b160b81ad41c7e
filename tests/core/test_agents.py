"""What many agents tell, as services: each is the truth of its own machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from longshore.core.agents import Agents
from longshore.core.containers import Container, Machine, Network
from longshore.core.drafts import OperatorService, Options
from longshore.core.machine_snapshot import MachineSnapshot
from longshore.core.model import EndpointState, Service
from longshore.core.spec import Spec
from tests.core.made import container, published

US = "f" * 64
FRONT = Network("front", "net-front", "10.77.0.9")
OPTIONS = Options("agents")
KEEP = 600.0


def task(number: int, name: str = "web", **fields: Any) -> Container:
    """A container of a Swarm's task on the overlay network `front`."""
    labels = {"com.docker.swarm.service.name": name, "com.docker.swarm.task.id": f"t{number}"}
    fields.setdefault("networks", (replace(FRONT, ipv4=f"10.77.0.{number}"),))
    return container(f"{name}.{number}.t{number}", number, {"host": f"{name}.test"}, raw_labels=labels, **fields)


def told(name: str, *containers: Container, **more: Any) -> MachineSnapshot:
    """What the agent of a machine tells; its engine's id is "id-<name>"."""
    machine = Machine(name, f"10.0.0.{name[-1]}", more.pop("zone", ""))
    return MachineSnapshot(f"id-{name}", machine, tuple(replace(each, machine=machine) for each in containers), **more)


def us(*networks: Network, **fields: Any) -> Container:
    """The container that longshore itself runs in."""
    return replace(container("balancer", 99, networks=networks or (FRONT,), **fields), id=US)


def heard(*snapshots: MachineSnapshot, options: Options = OPTIONS) -> Agents:
    """Agents that told this, each from the address of its machine."""
    agents = Agents(options, [US])
    for snapshot in snapshots:
        agents.told(snapshot.machine.name, snapshot, 0.0)
    return agents


def services(agents: Agents) -> dict[str, Service]:
    found, problems = agents.build()
    assert problems == ()
    return {each.name: each for each in found}


def names(agents: Agents, service: str = "web") -> list[str]:
    return [endpoint.host for endpoint in services(agents)[service].endpoints]


def test_a_service_has_the_containers_of_all_machines() -> None:
    web = services(heard(told("h1", us(), task(1)), told("h2", task(2), zone="east")))["web"]
    assert [(e.host, e.zone, e.address, e.port, e.reason) for e in web.endpoints] == [
        ("h1", "", "10.77.0.1", 8000, "network front, shared with the balancer"),
        ("h2", "east", "10.77.0.2", 8000, "network front, shared with the balancer"),
    ]


def test_networks_are_shared_by_their_identity_not_by_their_name() -> None:
    """Every engine has a network called bridge, with the same addresses."""
    ours, theirs = Network("bridge", "net-b1", "172.17.0.2"), Network("bridge", "net-b2", "172.17.0.3")
    here = task(1, networks=(replace(ours, ipv4="172.17.0.4"),))
    there = task(2, "api", networks=(theirs,))
    found, (problem,) = heard(told("h1", us(ours), here), told("h2", there)).build()
    assert [(each.name, [e.address for e in each.endpoints]) for each in found] == [("web", ["172.17.0.4"])]
    assert problem.where == "container api.2.t2"
    assert "no address can be reached" in problem.what


@pytest.mark.parametrize("networks", [(), (Network("other", "net-other", "10.9.0.1"),)])
def test_from_outside_ports_of_the_machines_are_used(networks: tuple[Network, ...]) -> None:
    open_task = task(1, networks=networks, published=published(8000, 32768))
    (endpoint,) = services(heard(told("h2", open_task)))["web"].endpoints
    assert (endpoint.address, endpoint.port, endpoint.proxied) == ("10.0.0.2", 32768, True)
    on_host = task(1, networks=(), network_mode="host")
    (endpoint,) = services(heard(told("h2", on_host)))["web"].endpoints
    assert (endpoint.address, endpoint.port) == ("10.0.0.2", 8000)


def test_networks_that_are_said_are_shared() -> None:
    agents = Agents(OPTIONS, networks=["front"])
    agents.told("h1", told("h1", task(1)), 0.0)
    assert [e.address for e in services(agents)["web"].endpoints] == ["10.77.0.1"]


def test_a_balancer_that_joins_a_network_reaches_what_is_there() -> None:
    agents = heard(told("h1", us(Network("x", "net-x", "1.2.3.4")), task(1)))
    assert not agents.build()[0]
    agents.told("h1", told("h1", us(), task(1)), 1.0)
    assert names(agents) == ["h1"]


def test_a_balancer_that_uses_the_network_of_another_container() -> None:
    pod = container("pod", 50, networks=(FRONT,))
    ours = us(network_mode=f"container:{pod.id}")
    assert names(heard(told("h1", replace(ours, networks=()), pod, task(1)))) == ["h1"]


def test_a_stop_signal_makes_it_stopping_and_the_rest_stays_the_identical_object() -> None:
    api, web = task(1, "api"), task(2)
    agents = heard(told("h1", us(), api), told("h2", web))
    before = services(agents)
    agents.told("h2", told("h2", replace(web, stopping=True)), 1.0)
    after = services(agents)
    assert [e.state for e in after["web"].endpoints] == [EndpointState.STOPPING]
    assert after["api"] is before["api"]
    agents.told("h1", told("h1", us(), api), 1.0)
    assert services(agents)["web"] is after["web"]
    agents.told("h2", told("h2"), 2.0)
    assert set(services(agents)) == {"api"}


def test_a_lost_agent_takes_nothing_along_for_a_stated_time() -> None:
    agents = heard(told("h1", us(), task(1)), told("h2", task(2)))
    agents.lost("h2", "it refuses connections", 100.0)
    assert names(agents) == ["h1", "h2"]
    assert agents.gone() == (("h2", "it refuses connections", 1),)
    agents.forget(99.0)
    assert names(agents) == ["h1", "h2"]
    agents.forget(101.0)
    assert names(agents) == ["h1"]
    assert agents.gone() == ()


def test_while_all_agents_are_lost_nothing_is_forgotten() -> None:
    agents = heard(told("h1", us(), task(1)), told("h2", task(2)))
    agents.lost("h1", "gone", 1.0)
    agents.lost("h2", "gone", 1.0)
    agents.forget(10_000.0)
    assert not agents.heard
    assert names(agents) == ["h1", "h2"]


def test_a_replaced_agent_takes_over_wherever_it_is() -> None:
    """start-first: for a moment two agents tell of one machine; the old one's end harms nothing."""
    agents = heard(told("h1", us(), task(1)))
    agents.told("elsewhere", told("h1", us(), task(1), task(2)), 1.0)
    agents.lost("h1", "it ended its stream", 2.0)
    assert agents.gone() == ()
    assert names(agents) == ["h1", "h1"]


def test_an_address_that_is_used_again_does_not_mix_up_two_machines() -> None:
    agents = Agents(OPTIONS, [US])
    agents.told("10.0.1.5", told("h1", us(), task(1)), 0.0)
    agents.told("10.0.1.5", told("h2", task(2)), 1.0)
    assert names(agents) == ["h1", "h2"]
    assert [machine for machine, _, _ in agents.gone()] == ["h1"]


def test_the_operator_picks_containers_of_any_machine() -> None:
    operator = OperatorService("shop", Spec(host=("shop.test",)), image="local/app")
    plain = replace(task(2), labels={})
    agents = heard(told("h1", us(), plain), options=replace(OPTIONS, operator=(operator,)))
    assert "h1" in names(agents, "shop")
