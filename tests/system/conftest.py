"""System tests run in a network of their own, whether or not they ask for an engine."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _in_own_network(own_network: None) -> None:
    """See `own_network`."""
