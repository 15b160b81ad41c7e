"""What `longshore up` tells while it runs, on stderr: lines for people on a terminal, else key=value, or JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from longshore.cli.text import clean, colourful

Style = Literal["auto", "human", "keyvalue", "json"]


def set_up(style: Style) -> None:
    """Send everything that is logged to stderr in this style, that of libraries too."""
    if style == "auto":
        style = "human" if sys.stderr.isatty() else "keyvalue"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if style == "human" else "iso", utc=style != "human"),
        harmless,
    ]
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "human":
        last += [structlog.dev.ConsoleRenderer(colors=colourful(sys.stderr), pad_event_to=0)]
    elif style == "json":
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        order = ["timestamp", "level", "event"]
        last += [structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer(key_order=order)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def harmless(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take control characters out of every text: names and reasons come from containers."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = " | ".join(clean(line) for line in value.splitlines())
    return event
