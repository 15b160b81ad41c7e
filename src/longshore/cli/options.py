"""Options that several commands share."""

from __future__ import annotations

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
        help="Read Synapse's configuration in place of one of ours: its file, or the folder with its files.",
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
