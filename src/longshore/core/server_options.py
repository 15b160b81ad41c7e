"""What longshore's balancers take from an entry's `haproxy_server_options`, which anybody may have written.

Synapse puts that text into HAProxy's configuration as it is. Here nothing does: `backup` and `weight N` are understood,
and whatever else it says is the service's policy, which the operator of the balancer says. (HAProxy's manual, 5.2)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PLAIN = frozenset({"check", "on-marked-down", "shutdown-sessions"})  # how it is checked is the balancer's business
VALUED = frozenset({"inter", "fastinter", "downinter", "rise", "fall"})


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """`others` are the words that mean something, and are not taken."""

    backup: bool = False
    weight: int | None = None
    others: str = ""


def read(text: str) -> ServerOptions:
    """Read such options. Never raises."""
    words = text[:4096].split()
    backup, weight, others = False, None, list[str]()
    while words:
        word = words.pop(0)
        if word == "backup":
            backup = True
        elif word == "weight" and words and re.fullmatch(r"[0-9]{1,9}", words[0], re.ASCII):
            weight = int(words.pop(0))
        elif word in VALUED and words:
            words.pop(0)
        elif word not in PLAIN:
            others.append(word)
    return ServerOptions(backup, weight, " ".join(others))
