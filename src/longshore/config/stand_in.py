"""What stays of a service that is set aside: its backend, without any server, if the operator's own lines lead to it.

HAProxy refuses a whole configuration for one `use_backend` that leads nowhere. So the others go on, and who asks for
the service gets 503.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_WORD = re.compile(r"[A-Za-z0-9_.:-]+")


def stand_in(data: dict[str, Any], name: str, service: Any) -> dict[str, Any] | None:
    """The service without servers, None if no line speaks of its backend. `data` is the whole, in our terms."""
    raw = service.get("raw") if isinstance(service, dict) else None
    said = raw.get("name") if isinstance(raw, dict) else None
    backend = said if isinstance(said, str) else name
    mode = next((mode for mode, line in _lines(data) if backend in _WORD.findall(line)), None)
    if mode is None:
        return None
    kept = ({"name": said} if backend == said else {}) | ({"mode": "tcp"} if mode == "tcp" else {})
    return {"endpoints": [], "raw": kept}


def _lines(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines that may lead to a backend, each with the mode of whom it belongs to."""
    haproxy = data.get("haproxy")
    own = haproxy.get("raw") if isinstance(haproxy, dict) else None
    sections = own.get("sections") if isinstance(own, dict) else None
    for lines in sections.values() if isinstance(sections, dict) else ():
        texts = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        mode = "tcp" if "mode tcp" in texts else "http"
        yield from ((mode, line) for line in texts)
    services = data.get("services")
    for service in services.values() if isinstance(services, dict) else ():
        raw = service.get("raw") if isinstance(service, dict) else None
        lines = raw.get("frontend") if isinstance(raw, dict) else None
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, str):
                yield ("tcp" if "tcp" in service else "http"), line
