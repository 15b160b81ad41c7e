"""Failures of the writing side, one kind for all registries."""

from __future__ import annotations

from longshore.clients.registry_faults import RegistryError

__all__ = ["RefusedWriteError", "RegistryError"]


class RefusedWriteError(RegistryError):
    """The registry will not take this entry, now or later: a permission, or a value it cannot hold."""
