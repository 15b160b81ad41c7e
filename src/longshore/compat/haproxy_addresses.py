"""The words behind an address of HAProxy's: of a `bind` line, and of a server."""

from __future__ import annotations

from longshore.compat.haproxy_words import joined, words
from longshore.core.values import RefusedError

Said = tuple[tuple[str, ...], str]
LEFT_OUT = ("init-addr", "resolvers", "resolve-prefer", "resolve-net", "resolve-opts")
REFUSED = {
    "redir": "write `http-request redirect` into the backend",
    "namespace": "run longshore in the namespace",
    "socks4": "write the service as a section of its own in `haproxy.raw.sections`",
    "log-proto": "write log servers as a section `ring` in `haproxy.raw.sections`",
    "non-stick": "write `stick on … if …` with a condition into the backend",
    "stick": "leave it out: servers are stuck to unless told otherwise",
    "tcp-ut": "leave it out, or set the kernel's tcp_retries2",
    "track": "say the check with `check`, `addr` and `port`",
}
"""Words of servers that cannot come and go at runtime (measured: `add server`, HAProxy 2.6 to 3.4)."""
NEEDS = "HAProxy takes `ssl` with `ca-file` or `verify none` only: say one of them here, or in `default-server`"


def bind(text: str) -> Said:
    """Say the words behind the address of a `bind` line as they are said today."""
    kept: list[str] = []
    note = ""
    rest = iter(words(text))
    for word in rest:
        if word != "process":
            kept.append(word)
            continue
        number = next(rest, "")
        threads = number.partition("/")[2]
        kept += ["thread", threads] if threads else []
        note = f"`process {number}` is left out: HAProxy is one process"
        if threads:
            note = f"`process {number}` is `thread {threads}` now"
    return _said(text, kept, note)


def server(text: str, *, unverified: bool = False) -> Said:
    """Say the words of a server: what no server has that comes and goes at runtime is left out or refused.

    `unverified`: `global` says `ssl-server-verify none`, which counts for servers of the configuration alone.
    """
    kept: list[str] = []
    notes: list[str] = []
    rest = iter(words(text))
    for word in rest:
        if word in REFUSED:
            raise RefusedError(f"a server that comes and goes at runtime cannot have `{word}`", REFUSED[word])
        if word in LEFT_OUT:
            notes.append(f"`{word} {next(rest, '')}` is left out: longshore looks names up itself")
        else:
            kept.append(word)
    if {"ssl", "check-ssl"} & set(kept) and not {"verify", "ca-file"} & set(kept):
        if not unverified:
            return _said(text, kept, "; ".join((*notes, NEEDS)))
        kept += ["verify", "none"]
        notes.append("`verify none` is said with `ssl`, as `ssl-server-verify none` says for all")
    return _said(text, kept, "; ".join(notes))


def _said(text: str, kept: list[str], note: str) -> Said:
    if not kept:
        return (), note
    return (joined(kept) if note else text.strip(),), note
