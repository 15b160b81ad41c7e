"""What an operator said with `drain`, `ready` and `weight`, of a service or of one endpoint: kept until taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from longshore.core.render import Admin


@dataclass(frozen=True, slots=True)
class Override:
    """One thing said. `endpoint` is an endpoint's id, or "" for all of the service. None: nothing said."""

    service: str
    endpoint: str = ""
    admin: Admin | None = None
    weight: int | None = None
    since: float = 0.0  # Unix seconds


@dataclass(frozen=True, slots=True)
class Overrides:
    """All that was said. What was said of an endpoint beats what was said of its service."""

    said: Mapping[tuple[str, str], Override] = field(default_factory=dict)

    def of(self, service: str) -> tuple[Override, ...]:
        """Everything said about a service and its endpoints, in a comparable form."""
        if not self.said:
            return ()
        return tuple(sorted((o for o in self.said.values() if o.service == service), key=lambda o: o.endpoint))

    def admin(self, service: str, endpoint: str) -> Admin:
        """The admin state an endpoint should have."""
        for key in ((service, endpoint), (service, "")):
            if (said := self.said.get(key)) and said.admin is not None:
                return said.admin
        return "ready"

    def weight(self, service: str, endpoint: str) -> int | None:
        """The weight an operator gave an endpoint, None if its own counts."""
        for key in ((service, endpoint), (service, "")):
            if (said := self.said.get(key)) and said.weight is not None:
                return said.weight
        return None

    def with_admin(self, service: str, endpoint: str, admin: Admin, now: float) -> Overrides:
        """Say an admin state. `ready` takes back what was said before; of a service, also of all its endpoints."""
        said = dict(self.said)
        if not endpoint:
            for key, override in list(said.items()):
                if override.service == service and override.endpoint:
                    said[key] = replace(override, admin=None)
        key = (service, endpoint)
        admin_or_none = None if admin == "ready" and not (endpoint and self._service_says(service)) else admin
        said[key] = replace(said.get(key, Override(service, endpoint)), admin=admin_or_none, since=now)
        return _tidy(said)

    def with_weight(self, service: str, endpoint: str, weight: int | None, now: float) -> Overrides:
        """Say a weight; None takes it back."""
        said = dict(self.said)
        if not endpoint:
            for key, override in list(said.items()):
                if override.service == service and override.endpoint:
                    said[key] = replace(override, weight=None)
        key = (service, endpoint)
        said[key] = replace(said.get(key, Override(service, endpoint)), weight=weight, since=now)
        return _tidy(said)

    def without_endpoints(self, gone: set[tuple[str, str]]) -> Overrides:
        """Forget what was said of endpoints that no longer exist."""
        if not any(key in gone for key in self.said):
            return self
        return Overrides({key: o for key, o in self.said.items() if key not in gone})

    def _service_says(self, service: str) -> bool:
        said = self.said.get((service, ""))
        return bool(said and said.admin not in (None, "ready"))


def _tidy(said: dict[tuple[str, str], Override]) -> Overrides:
    return Overrides({key: o for key, o in said.items() if o.admin is not None or o.weight is not None})
