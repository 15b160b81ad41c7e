"""The image of walk-through 4: it answers "I'm <container id>" on port 8000."""

from __future__ import annotations

from tests.lab.container import Container
from tests.lab.engine_client import EngineClient

WHOAMI = "whoami:latest"


def start(engine: EngineClient, *args: str) -> Container:
    """Do `docker run -d -p 8000 whoami`; `args` are more options."""
    if not any(WHOAMI in (image["RepoTags"] or ()) for image in engine.api.get("/images/json")):
        engine.load(WHOAMI, "EXPOSE 8000", 'ENV SAY="I\'m"')
    return engine.run(image="whoami", args=("-p", "8000", *args))
