"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

ConfigFile = Annotated[
    Path | None,
    Parameter(
        name=["--config", "-c"],
        help="Configuration file. Default: $LONGSHORE_CONFIG, else /etc/longshore/longshore.yaml, else the defaults.",
    ),
]
Synapse = Annotated[
    Path | None,
    Parameter(
        name="--synapse",
        help="Read Synapse's configuration in place of one of ours: its file, or the folder with its files. "
        "Default: $SYNAPSE_CONFIG, where no other configuration is said.",
    ),
]
DockerDiscover = Annotated[
    bool,
    Parameter(
        name="--docker-discover",
        negative="",
        help="Do what docker-discover does, by its environment: $ETCD_HOST.",
    ),
]
DockerRegister = Annotated[
    bool,
    Parameter(
        name="--docker-register",
        negative="",
        help="Do what docker-register does, by its environment: $HOST_IP, $ETCD_HOST, $DOCKER_HOST.",
    ),
]
Registrator = Annotated[
    tuple[str, ...] | None,
    Parameter(
        name="--registrator",
        negative="",
        consume_multiple=True,
        allow_leading_hyphen=True,
        help="Do what registrator does. All that follows is its own: [FLAGS] URI, like consul://localhost:8500.",
    ),
]
Nerve = Annotated[
    Path | None,
    Parameter(
        name="--nerve",
        help="Read Nerve's configuration in place of one of ours: its file, or the folder with its files. "
        "Default: $NERVE_CONFIG, where no other configuration is said.",
    ),
]
NerveInstance = Annotated[
    str,
    Parameter(name="--instance-id", help="With --nerve: in place of its instance_id. Default: $NERVE_INSTANCE_ID."),
]
NerveOverlay = Annotated[
    Path | None,
    Parameter(
        name="--config-overlay",
        help="With --nerve: a file that is laid over its configuration, as Yelp's Nerve does. Default: "
        "$NERVE_CONFIG_OVERLAY.",
    ),
]
StateDir = Annotated[
    Path | None,
    Parameter(
        name="--state-dir",
        help="State directory of the running agent. Default: $LONGSHORE_STATE_DIR, else the configuration's.",
    ),
]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
Snapshot = Annotated[
    Path | None,
    Parameter(
        name="--snapshot",
        allow_leading_hyphen=True,
        help="Containers as `docker inspect` prints them (a JSON array); - reads standard input. No engine is asked.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Forerunners:
    """The options of commands that take the configuration of any forerunner."""

    synapse: Synapse = None
    nerve: Nerve = None
    instance_id: NerveInstance = ""
    config_overlay: NerveOverlay = None
    docker_discover: DockerDiscover = False
    docker_register: DockerRegister = False
    registrator: Registrator = None


NO_FORERUNNER = Forerunners()
