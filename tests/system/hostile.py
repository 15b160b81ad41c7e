"""What strangers do: containers with any label the engine takes, and a HAProxy that is not as it should be."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.balancer import Balancer
from tests.lab.container import Container
from tests.lab.engine import WEB, Engine
from tests.lab.engine_api import UnixConnection


def start(engine: Engine, name: str, labels: Mapping[str, str], image: str = WEB) -> Container:
    """Start a container through the API: unlike the docker command it takes labels with NUL, and is quick."""
    connection = UnixConnection(engine.socket)
    try:
        made = json.dumps({"Image": image, "Labels": dict(labels), "Env": [f"NAME={name}"]})
        connection.request("POST", f"/containers/create?name={name}", made, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 201, said
    container = Container(engine, said["Id"], name)
    container.start()
    return container


def said_of(status: Any, place: str) -> list[Any]:
    """The problems of a place: "container web-1", "service shop"."""
    return [each for each in status["problems"] if each["where"] == place or each["where"].startswith(f"{place} (")]


def program(path: Path, text: str) -> Path:
    """Write a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def squeamish(path: Path, haproxy: Path) -> Path:
    """Write a program that is this HAProxy, but refuses configurations with the word "distasteful"."""
    return program(
        path,
        f"""if [ "$1" = -c ] && line=$(grep -n distasteful "$3"); then
    echo "[ALERT]    (1) : config : parsing [$3:${{line%%:*}}] : 'distasteful' is more than one can take." >&2
    exit 1
fi
exec {haproxy} "$@" """,
    )


def config_text(balancer: Balancer) -> str:
    """The HAProxy configuration as it is written."""
    return (balancer.state / "haproxy" / "haproxy.cfg").read_text()


def config_words(balancer: Balancer) -> list[list[str]]:
    """Every line of the HAProxy configuration, as the words that HAProxy reads."""
    return [words for line in config_text(balancer).splitlines() if (words := shlex.split(line, comments=True))]
