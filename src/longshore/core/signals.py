"""Signals by name and number, as a Docker Engine understands them.

A `kill` event carries a number ("15"); a container's StopSignal is what somebody wrote: "SIGQUIT", "quit", "3",
"RTMIN+3". The numbers are Linux's (signal(7)), because the engine's are, wherever longshore runs.
"""

from __future__ import annotations

import re

KILL = 9
TERM = 15
RTMIN, RTMAX = 34, 64  # as the engine counts; the C library keeps 32 and 33 for itself

_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_NUMBERS = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
_IGNORED = {_NUMBERS[name] for name in ("CHLD", "CONT", "URG", "WINCH")}
_NUMBERS |= {"IOT": 6, "CLD": 17, "POLL": 29, "RTMIN": RTMIN, "RTMAX": RTMAX}


def number(signal: str) -> int:
    """Give the number of a signal however it is spelled; 0 if it is none."""
    word = signal.strip().upper().removeprefix("SIG")
    if word.isascii() and word.isdigit():
        value = int(word[:4])
        return value if 0 < value <= RTMAX else 0
    relative = re.fullmatch(r"(RTMIN\+|RTMAX-)(\d{1,2})", word, re.ASCII)
    if relative:
        value = int(relative[2])
        value = RTMIN + value if relative[1] == "RTMIN+" else RTMAX - value
        return value if RTMIN <= value <= RTMAX else 0
    return _NUMBERS.get(word, 0)


def ends(signal: int, stop_signal: str) -> bool:
    """Say whether a container that gets this signal is about to end: its own stop signal, or KILL.

    An unreadable StopSignal counts as TERM, the engine's default.
    """
    return signal != 0 and signal in (KILL, number(stop_signal) or TERM)


def does_nothing(signal: str) -> bool:
    """Say whether a process that does not care about this signal lives on (signal(7): "Ign", and CONT)."""
    return number(signal) in _IGNORED
