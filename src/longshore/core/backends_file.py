"""The endpoints of a service as Synapse wrote them for other programs: a JSON array, one object each.

    [{"host":"10.0.0.5","id":"10.0.0.5:31000","name":"web-1","port":31000,"weight":50}]

Who is discovered and in its turn stands there, whatever HAProxy's checks say of it, as with Synapse: that a registry
has an entry was its state of health. `weight` is left out where nobody said one. Synapse's `id` was the number at the
end of a node's name in ZooKeeper; ours is the endpoint's, a text. (synapse/config_generator/file_output.rb)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from longshore.core.model import Endpoint, EndpointState, Service

UNSAID = 100  # an endpoint's weight when nobody says one


def backends(service: Service) -> list[dict[str, Any]]:
    """The array, in an order that follows from its content alone."""
    leader = service.policy.only == "leader"
    serving = [
        endpoint
        for endpoint in service.endpoints
        if endpoint.state is EndpointState.READY
        and not (endpoint.role == "standby" and (service.ordered or leader))
        and not (endpoint.role == "backup" and leader)
    ]
    return sorted(map(_backend, serving), key=lambda each: (each["name"], each["host"], each["port"], each["id"]))


def spelled(found: list[dict[str, Any]]) -> str:
    """The array as text."""
    return json.dumps(found, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _backend(endpoint: Endpoint) -> dict[str, Any]:
    said: Mapping[str, Any] = {"weight": endpoint.weight} if endpoint.weight != UNSAID else {}
    return {"name": endpoint.name, "host": endpoint.address, "port": endpoint.port, "id": endpoint.id, **said}
