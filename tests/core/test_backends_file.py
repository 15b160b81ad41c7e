"""The array of a service's endpoints, as Synapse wrote it for other programs."""

from __future__ import annotations

from dataclasses import replace

from longshore.core.backends_file import backends, spelled
from longshore.core.model import Endpoint, EndpointState, Policy, Service

ONE = Endpoint("10.0.0.1:80", "web-1", "10.0.0.1", 80)
TWO = Endpoint("10.0.0.2:80", "web-2", "10.0.0.2", 80, weight=50)


def test_each_endpoint_is_an_object_in_an_order_of_its_own() -> None:
    service = Service("web", endpoints=(TWO, ONE))
    assert backends(service) == [
        {"name": "web-1", "host": "10.0.0.1", "port": 80, "id": "10.0.0.1:80"},
        {"name": "web-2", "host": "10.0.0.2", "port": 80, "id": "10.0.0.2:80", "weight": 50},
    ]
    assert spelled(backends(Service("web", endpoints=(TWO,)))) == (
        '[{"host":"10.0.0.2","id":"10.0.0.2:80","name":"web-2","port":80,"weight":50}]'
    )
    assert spelled(backends(Service("empty"))) == "[]"


def test_who_is_not_to_get_traffic_does_not_stand_there() -> None:
    waiting, stopping = (replace(TWO, state=state) for state in (EndpointState.WAITING, EndpointState.STOPPING))
    for out in (waiting, stopping):
        assert [each["name"] for each in backends(Service("web", endpoints=(ONE, out)))] == ["web-1"]


def test_only_the_leader_and_only_whose_turn_it_is() -> None:
    endpoints = (replace(ONE, role="leader"), replace(TWO, role="backup", backup=True))
    leader = Service("web", endpoints=endpoints, policy=Policy(only="leader"))
    assert [each["name"] for each in backends(leader)] == ["web-1"]
    turns = Service("web", endpoints=(ONE, replace(TWO, role="standby", turn=1)), ordered=True)
    assert [each["name"] for each in backends(turns)] == ["web-1"]
    near = Service("web", endpoints=endpoints, policy=Policy(prefer="host"))
    assert len(backends(near)) == 2, "who is farther away serves too"
