"""The command line: which commands there are, how they are found, and how they end.

Modules of commands are imported when their command is called, so that each starts as quickly as it can.
Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 cannot reach the agent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from longshore.cli.ending import FINDING, FINE, INTERRUPTED, USAGE, End
from longshore.cli.text import clean, paint

HELP = """Load balancing that follows your containers.

Start with: longshore up"""
EPILOGUE = (
    """Exit codes: 0 fine, 1 a finding (invalid configuration, not ready), 2 wrong usage, 3 cannot reach the agent."""
)

COMMANDS: dict[str, tuple[str, str]] = {
    "up": (
        "longshore.cli.up:up",
        "longshore up\nlongshore up --config longshore.yaml --leave-running",
    ),
    "check": (
        "longshore.cli.check:check",
        "longshore check --config longshore.yaml\ndocker inspect $(docker ps -q) | longshore check --snapshot -",
    ),
    "render": (
        "longshore.cli.render:render",
        "longshore render --haproxy 3.4\n"
        "docker inspect $(docker ps -q) | longshore render --snapshot - --out /tmp/haproxy",
    ),
    "status": (
        "longshore.cli.status:status",
        "longshore status\nlongshore status shop-web --watch\nlongshore status --json | jq .services",
    ),
    "explain": (
        "longshore.cli.explain:explain",
        "longshore explain http://shop.localhost/cart\nlongshore explain :5432",
    ),
    "wait": (
        "longshore.cli.wait:wait",
        "longshore wait shop-web\nlongshore wait shop-web=3 shop-db --timeout 2m",
    ),
    "drain": (
        "longshore.cli.operate:drain",
        "longshore drain shop-web/shop-web-1\nlongshore drain shop-web --maint",
    ),
    "ready": (
        "longshore.cli.operate:ready",
        "longshore ready shop-web/shop-web-1\nlongshore ready shop-web",
    ),
    "weight": (
        "longshore.cli.operate:weight",
        "longshore weight shop-web/shop-web-1 10\nlongshore weight shop-web/shop-web-1 default",
    ),
    "events": (
        "longshore.cli.events:events",
        "longshore events\nlongshore events --follow --json",
    ),
    "reload": (
        "longshore.cli.operate:reload",
        "longshore reload\nlongshore reload --reason 'new certificates'",
    ),
    "mend": (
        "longshore.cli.operate:mend",
        "longshore mend",
    ),
    "schema": (
        "longshore.cli.schema:schema",
        "longshore schema > longshore.schema.json",
    ),
    "version": (
        "longshore.cli.version:version",
        "longshore version --json",
    ),
}


def app() -> App:
    """Make the command line."""
    from longshore import __version__

    made = App(
        name="longshore",
        help=HELP,
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        version=__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, (where, examples) in COMMANDS.items():
        epilogue = "Examples:\n" + "\n".join(f"  {line}" for line in examples.splitlines())
        made.command(where, name=name, help_epilogue=epilogue)
    return made


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors are on stderr."""
    try:
        code = app()(list(arguments), exit_on_error=False, print_error=True)
        sys.stdout.flush()
        return code if isinstance(code, int) else FINE
    except CycloptsError:
        return USAGE  # it has been said
    except End as end:
        tell(end)
        return end.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: nothing is left to say
        return FINE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        tell(End(FINDING, f"{where}{error.strerror or error}"))
        return FINDING


def tell(end: End) -> None:
    """Say an error: what and where, then what to do next."""
    for line in end.what.splitlines():
        print(f"{paint('longshore:', 'red', sys.stderr)} {clean(line)}", file=sys.stderr)
    if end.hint:
        print(f"  {clean(end.hint)}", file=sys.stderr)


def main() -> None:
    """Be the program `longshore`."""
    sys.exit(run(sys.argv[1:]))
