"""The command line: which commands there are, how they are found, and how they end.

Modules of commands are imported when their command is called, so that each starts as quickly as it can.
Exit codes: 0 fine, 1 a finding, 2 wrong usage, 3 cannot reach the agent.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from cyclopts import App, CycloptsError, Group, Parameter

from longshore.cli.commands import COMMANDS, FAMILIES, GROUPS
from longshore.cli.ending import FINDING, FINE, INTERRUPTED, USAGE, End
from longshore.cli.text import clean, paint

__all__ = ["COMMANDS", "EVERY", "FAMILIES", "app", "main", "run"]
EVERY = "*"  # asked for like a command: each tells its own docstring
HELP = """Load balancing that follows your containers.

Start with: longshore up"""
EPILOGUE = (
    """Exit codes: 0 fine, 1 a finding (invalid configuration, not ready), 2 wrong usage, 3 cannot reach the agent."""
)


def app(asked: str = "") -> App:
    """Make the command line. The command `asked` for tells its own docstring; of the others the summary is enough."""
    from longshore import __version__

    groups = {name: Group(name, sort_key=i) for i, name in enumerate(GROUPS)}
    made = App(
        name="longshore",
        help=HELP,
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        version=__version__,
        group_commands=groups["Options"],
        default_parameter=Parameter(show_default=False),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    families: dict[str, App] = {}
    for i, (name, command) in enumerate(COMMANDS.items()):
        family, _, own_name = name.rpartition(" ")
        if family and family not in families:
            families[family] = _family(family, groups[FAMILIES[family][0]], i)
            made.command(families[family])
        (families[family] if family else made).command(
            command.where,
            name=own_name,
            help=_docstring(command.where) if asked in (name, EVERY) else command.summary,
            help_epilogue="Examples:\n" + "\n".join(f"  {line}" for line in command.examples),
            group=groups[command.group] if not family else None,
            sort_key=i,
        )
    return made


def _docstring(where: str) -> str:
    """What a command says of itself, without the breaks of lines in the source: the terminal has others."""
    module, _, function = where.partition(":")
    paragraphs = (inspect.getdoc(getattr(import_module(module), function)) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _family(name: str, group: Group, place: int) -> App:
    """Make a command that has commands of its own."""
    return App(
        name=name,
        help=FAMILIES[name][1],
        help_format="plaintext",
        version_flags=(),
        group=group,
        group_commands=Group("Commands"),
        default_parameter=Parameter(show_default=False),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        sort_key=place,
    )


def _asked(arguments: Sequence[str]) -> str:
    """Which command is asked for."""
    return " ".join(arguments[: 2 if arguments[:1] and arguments[0] in FAMILIES else 1])


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors are on stderr."""
    try:
        code = app(_asked(arguments))(list(arguments), exit_on_error=False, print_error=True)
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
    """Be the program `longshore`; as process 1, in a container, look after it as well."""
    if os.getpid() == 1:
        from longshore.cli.init import look_after

        sys.exit(look_after(lambda: run(sys.argv[1:])))
    sys.exit(run(sys.argv[1:]))
