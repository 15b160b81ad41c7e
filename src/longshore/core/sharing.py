"""The containers that a builder holds. One that uses another's network is concerned by whatever happens to that one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from longshore.core.containers import Container

_SHARES = "container:"  # network_mode "container:<id>": it uses that container's network


class Held:
    """Containers by id. `changed` is told the id of each that is another one now, or gone, and of those it concerns."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._containers: dict[str, Container] = {}
        self._sharers: dict[str, set[str]] = {}  # container id → those that use its network

    def get(self, container_id: str) -> Container | None:
        """Give a container, if it is held."""
        return self._containers.get(container_id)

    def through(self, container: Container) -> Container | None:
        """Give the container whose network this one uses, if it has none of its own."""
        return self._containers.get(_owner(container))

    def set(self, container: Container) -> None:
        """Add a container, or replace what was known of it."""
        before = self._containers.get(container.id)
        if before == container:
            return
        if before is not None and (owner := _owner(before)):
            self._sharers[owner].discard(container.id)
        if owner := _owner(container):
            self._sharers.setdefault(owner, set()).add(container.id)
        self._containers[container.id] = container
        self._tell(container.id)

    def remove(self, container_id: str) -> None:
        """Forget a container."""
        if (container := self._containers.pop(container_id, None)) is not None:
            if owner := _owner(container):
                self._sharers[owner].discard(container_id)
            self._tell(container_id)

    def replace_all(self, containers: Iterable[Container]) -> None:
        """Hold exactly these containers."""
        found = {container.id: container for container in containers}
        for container_id in self._containers.keys() - found.keys():
            self.remove(container_id)
        for container in found.values():
            self.set(container)

    def _tell(self, container_id: str) -> None:
        for concerned in (container_id, *self._sharers.get(container_id, ())):
            self._changed(concerned)


def _owner(container: Container) -> str:
    mode = container.network_mode
    return mode.removeprefix(_SHARES) if mode.startswith(_SHARES) else ""
