"""`longshore version`."""

from __future__ import annotations

import platform
import sys

from longshore import __version__
from longshore.cli.options import AsJson
from longshore.cli.text import say, say_json


def version(*, as_json: AsJson = False) -> None:
    """Print the version of longshore and of what it runs on."""
    runs_on = f"Python {platform.python_version()}, {sys.platform}"
    if as_json:
        say_json({"longshore": __version__, "python": platform.python_version(), "platform": sys.platform})
    else:
        say(f"longshore {__version__} ({runs_on})")
