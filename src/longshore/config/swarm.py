"""The source `swarm`: a Docker Swarm, seen through one of its managers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from longshore.config.engine import Engine
from longshore.config.fields import listed, word

NetworkNames = Annotated[tuple[Annotated[str, AfterValidator(word)], ...], BeforeValidator(listed)]


class SwarmSource(Engine):
    """The services of a Docker Swarm. The engine must be one of its managers."""

    type: Literal["swarm"] = "swarm"
    """What kind of source it is; may be left out when the source is named `swarm`."""
    expose: Literal["labelled", "all"] = "labelled"
    """`labelled`: only services with `longshore.` labels, on the service or its containers; `all`: every service that
    publishes a port."""
    networks: NetworkNames = ()
    """Names of overlay networks that the balancer shares, when it cannot find out by itself: by default those of its
    own container, if that runs on the same engine or as a task of the Swarm."""
