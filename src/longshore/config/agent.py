"""The section `agent`: how `longshore agent` serves what runs on its machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from longshore.config.engine import Engine
from longshore.config.fields import BindAddress, FilePath
from longshore.config.section import Section
from longshore.core import places
from longshore.core.values import RefusedError, shown


def ip_address(value: str) -> str:
    """Check an IP address."""
    if (found := places.ip(value)) is None:
        raise RefusedError(f"{shown(value)} is not an IP address", "write 10.0.0.5")
    return found


class AgentTls(Section):
    """TLS of an agent, as PEM files."""

    cert: FilePath
    """Its certificate."""
    key: FilePath
    """The key of its certificate."""
    client_ca: FilePath | None = None
    """The authority whose certificates callers must show. By default none is asked for."""


class AgentConfig(Engine):
    """How `longshore agent` serves what runs on its machine to balancers with the source `agents`."""

    bind: BindAddress = ":8404"
    """Where it listens."""
    token_file: FilePath | None = None
    """A file with the token that callers must send; in a Swarm a secret. Needed, unless callers show a certificate
    (`serve-tls.client-ca`) or only this machine can reach it."""
    serve_tls: AgentTls | None = None
    """Speak HTTPS."""
    address: Annotated[str, AfterValidator(ip_address)] | None = None
    """The IP address at which balancers reach the published ports of this machine; default: the one the Swarm uses."""
