"""What etcd, ZooKeeper and Consul have in common when they fail."""

from __future__ import annotations

from longshore.clients.faults import Fault


class RegistryError(Fault):
    """A registry that cannot be reached, refuses us, or ended a stream. The clients raise subclasses of it only."""
