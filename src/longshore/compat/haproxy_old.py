"""What HAProxy has dropped since 1.4, keyword by keyword, and how it is said now.

Each function gets the words of a line, its section and the mode of the proxy; it returns the lines that mean the same,
with a sentence for people, or None if the line is still good as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from longshore.compat.haproxy_addresses import Said, bind
from longshore.compat.haproxy_rules import rule
from longshore.compat.haproxy_words import joined
from longshore.core.values import RefusedError

Translate = Callable[[list[str], str, str], Said | None]
PATTERN_RULES = frozenset(
    f"{side}{blind}{kind}"
    for side in ("req", "rsp")
    for blind in ("", "i")
    for kind in ("rep", "del", "deny", "allow", "pass", "tarpit", "setbe")
)
"""The old rules with regular expressions."""
SMALLEST_RING = 16384  # bytes; HAProxy 2.6 refuses less


def instead(*lines: str, note: str) -> Translate:
    """Say these lines in place of the old one."""
    return lambda *_: (lines, note)


def gone(note: str) -> Translate:
    """Say nothing in place of the old line."""
    return instead(note=note)


def refused(what: str, hint: str) -> Translate:
    """There is nothing that means the same."""

    def refuse(*_: object) -> Said | None:
        raise RefusedError(what, hint)

    return refuse


def timeout(new: str) -> Translate:
    """`contimeout 5000` and `timeout contimeout 5000`."""
    return lambda said, *_: ((joined(["timeout", new, *said[-1:]]),), f"{' '.join(said[:-1])} is `timeout {new}` now")


def rules(said: list[str], section: str, _mode: str) -> Said | None:
    """`reqrep`, `rspadd` and the like."""
    if section == "defaults":
        raise RefusedError(f"{said[0]} was never allowed in `defaults`", "write it into the services that need it")
    lines = rule(said)
    return lines, f"{said[0]} is gone from HAProxy since 2.1: `{' '.join(lines[-1].split()[:2])}` does it now"


def block(said: list[str], section: str, mode: str) -> Said | None:
    """`block if …`."""
    return ((joined(["http-request", "deny", *said[1:]]),), "block is `http-request deny` now")


def option(said: list[str], _section: str, _mode: str) -> Said | None:
    """`option forceclose`, with and without `no`."""
    no = said[:1] == ["no"]
    said = said[1:] if no else said
    prefix = "no " if no else ""
    match said[1]:
        case "forceclose":
            return (f"{prefix}option httpclose",), "option forceclose is `option httpclose` since HAProxy 2.0"
        case "http-tunnel":
            note = "option http-tunnel is left out: every request of a connection is looked at since HAProxy 2.1"
            return (), note
        case "http-use-htx":
            return (), "option http-use-htx is left out: HAProxy always works so since 2.1"
        case "tcpsplice":
            return (f"{prefix}option splice-auto",), "option tcpsplice is `option splice-auto` now"
    return None


def http_proxy(said: list[str], section: str, _mode: str) -> Said | None:
    """`option http_proxy`: the destination from the request's absolute URL."""
    if said[0] == "no":
        return (), "no option http_proxy is left out: HAProxy does not do that unless told"
    if section == "defaults":
        raise RefusedError("option http_proxy cannot stand in `defaults` any more", "write it into the services")
    note = "option http_proxy is `set-dst` now; it counts for a `server` on the address 0.0.0.0:0 only"
    return ("http-request set-dst url_ip", "http-request set-dst-port url_port"), note


def monitor_net(said: list[str], section: str, mode: str) -> Said | None:
    """`monitor-net 10.0.0.0/8`: who watches gets an answer without a server."""
    if section == "defaults":
        hint = f"write `http-request return status 200 if {{ src {said[-1]} }}` into the frontends that are watched"
        raise RefusedError("monitor-net cannot stand in `defaults` any more", hint)
    source = joined(said[1:2])
    if mode == "tcp":
        lines = (f"tcp-request connection reject if {{ src {source} }}",)
        return lines, "monitor-net closes connections of these addresses with `tcp-request connection reject` now"
    return (f"http-request return status 200 if {{ src {source} }}",), "monitor-net is `http-request return` now"


def proxy_mode(said: list[str], section: str, _mode: str) -> Said | None:
    """`mode health`: an answer to everybody."""
    if said[1:2] != ["health"]:
        return None
    if section == "defaults":
        raise RefusedError("mode health cannot stand in `defaults`", "write it into the services that are meant")
    answer = ("http-request return status 200",) if section != "backend" else ()
    return ("mode http", *answer), "mode health is `http-request return status 200` now"


def appsession(said: list[str], _section: str, _mode: str) -> Said | None:
    """`appsession JSESSIONID len 52 timeout 3h request-learn prefix mode path-parameters`."""
    named = dict(pairwise(said[2:]))
    if "prefix" in said[2:]:
        raise RefusedError("appsession with `prefix` cannot be said any more", "use `cookie <name> prefix`")
    cookie, length, time = said[1], named.get("len", ""), named.get("timeout", "")
    if not length.isdigit() or not time:
        raise RefusedError(f"{joined(said)}: `len` or `timeout` is missing", "appsession needed both")
    # appsession hashed the session's id from the cookie, or from ";name=…" behind the path
    fetch = f"urlp({cookie},;)" if named.get("mode") == "path-parameters" else f"req.cook({cookie})"
    if named.get("mode") == "query-string":
        fetch = f"urlp({cookie})"
    learn = ("stick on" if "request-learn" in said[2:] else "stick match") + f" {fetch}"
    lines = (
        f"stick-table type string len {length} size 200k expire {joined([time])}",
        f"stick store-response res.cook({cookie})",
        learn,
    )
    return lines, "appsession is a `stick-table` now, of 200,000 sessions"


def httpchk(said: list[str], _section: str, _mode: str) -> Said | None:
    """`option httpchk GET /x HTTP/1.1\\r\\nHost:\\ a`: headers were hidden behind the version."""
    if said[0] == "no" or not any("\r" in word or "\n" in word for word in said):
        return None
    method, uri, *hidden = said[2:]
    text = " ".join(hidden)
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    version, *headers = head.split("\n")
    send = ["http-check", "send", "meth", method, "uri", uri, "ver", version]
    for header in filter(None, headers):
        name, colon, value = header.partition(":")
        if not colon:
            raise RefusedError(f"{joined([header])} is no header", "write `http-check send hdr <name> <value>`")
        send += ["hdr", name.strip(), value.strip().replace("%", "%%")]
    if body:
        send += ["body", body]
    return ("option httpchk", joined(send)), "headers of `option httpchk` are said with `http-check send` now"


def expect(said: list[str], _section: str, _mode: str) -> Said | None:
    """`http-check expect string Hello world`: HAProxy 1.5 looked at the first word alone."""
    kinds = ("string", "!string", "rstring", "!rstring", "status", "!status", "rstatus", "!rstatus")
    rest = said[2:]
    at = 1 if rest[:1] == ["!"] else 0
    if len(rest) <= at + 2 or rest[at] not in kinds or rest[at].startswith("!") + at > 1:
        return None
    note = f"HAProxy 1.5 looked for {rest[at + 1]!r} alone: to look for all of it, put it in quotes"
    return (joined(["http-check", "expect", *rest[: at + 2]]),), note


def dispatch(said: list[str], _section: str, _mode: str) -> Said | None:
    """`dispatch 10.0.0.1:80`."""
    return ((f"server dispatch {joined(said[1:2])}",), "dispatch is a `server` now (HAProxy 3.3 warns of it)")


def transparent(said: list[str], section: str, _mode: str) -> Said | None:
    """`transparent` and `option transparent`."""
    if said[0] == "no":
        return (), "no option transparent is left out: HAProxy does not do that unless told"
    if section == "defaults":
        raise RefusedError("transparent cannot stand in `defaults` any more", "write it into the services")
    return ("server transparent 0.0.0.0",), "transparent is a `server` on 0.0.0.0 now (HAProxy 3.3 warns of it)"


def nbproc(said: list[str], _section: str, _mode: str) -> Said | None:
    """`nbproc 4`."""
    count = said[1] if len(said) > 1 and said[1].isdigit() else ""
    return (f"nbthread {count}",) if count else (), "nbproc is `nbthread` now: one process with as many threads"


def chksize(said: list[str], _section: str, _mode: str) -> Said | None:
    """`tune.chksize 32768`."""
    size = int(said[1]) if len(said) > 1 and said[1].isdigit() else 0
    note = "tune.chksize is left out: checks use `tune.bufsize` now"
    return ((f"tune.bufsize {size}",), "tune.chksize is `tune.bufsize` now") if size > 16384 else ((), note)


def stats_socket(said: list[str], _section: str, _mode: str) -> Said | None:
    """`stats socket /x level admin process 1`."""
    if said[1:2] == ["bind-process"]:
        return (), "stats bind-process is left out: HAProxy is one process"
    if said[1:2] in (["timeout"], ["maxconn"]):
        return (), f"stats {said[1]} is left out: longshore's own sockets need what longshore says"
    if said[1:2] != ["socket"] or "process" not in said:
        return None
    return bind(joined(said))


def ring_size(said: list[str], _section: str, _mode: str) -> Said | None:
    """`size 8192` of a ring."""
    if len(said) < 2 or not said[1].isdigit() or int(said[1]) >= SMALLEST_RING:
        return None
    return (f"size {SMALLEST_RING}",), f"a ring has at least {SMALLEST_RING} bytes"


_BY_US = "longshore starts and watches HAProxy itself"
_STATE = "longshore keeps HAProxy's state over reloads itself"
OLD: dict[tuple[str, str], Translate] = {
    **{("proxy", word): timeout("connect") for word in ("contimeout", "timeout contimeout")},
    **{("proxy", word): timeout("client") for word in ("clitimeout", "timeout clitimeout")},
    **{("proxy", word): timeout("server") for word in ("srvtimeout", "timeout srvtimeout")},
    **{("proxy", word): rules for word in (*PATTERN_RULES, "reqadd", "rspadd")},
    **{
        ("proxy", word): instead("option redispatch", note=f"{word} is `option redispatch` now")
        for word in ("redispatch", "redisp", "option allredisp")
    },
    **{("proxy", f"option {word}"): option for word in ("forceclose", "http-tunnel", "http-use-htx", "tcpsplice")},
    ("proxy", "block"): block,
    ("proxy", "option http_proxy"): http_proxy,
    ("proxy", "option lb-agent-chk"): refused(
        "option lb-agent-chk is gone from HAProxy", "say `agent-check agent-port …` with the words of the servers"
    ),
    ("proxy", "option httpchk"): httpchk,
    ("proxy", "http-check"): expect,
    ("proxy", "option transparent"): transparent,
    ("proxy", "transparent"): transparent,
    ("proxy", "dispatch"): dispatch,
    ("proxy", "monitor-net"): monitor_net,
    ("proxy", "mode"): proxy_mode,
    ("proxy", "appsession"): appsession,
    ("proxy", "grace"): gone("grace is left out: a stopping HAProxy lets running requests finish"),
    ("proxy", "bind-process"): gone("bind-process is left out: HAProxy is one process"),
    ("global", "nbproc"): nbproc,
    ("global", "tune.chksize"): chksize,
    ("global", "debug"): gone("debug is left out: it is an option of the command line"),
    ("global", "quiet"): gone("quiet is left out: what HAProxy refuses could not be said"),
    ("global", "daemon"): gone(f"daemon is left out: {_BY_US}"),
    ("global", "master-worker"): gone(f"master-worker is left out: {_BY_US}, as master and worker"),
    ("global", "pidfile"): gone(f"pidfile is left out: {_BY_US}"),
    ("global", "server-state-file"): gone(f"server-state-file is left out: {_STATE}"),
    ("global", "server-state-base"): gone(f"server-state-base is left out: {_STATE}"),
    ("global", "stats-file"): gone(f"stats-file is left out: {_STATE}"),
    ("global", "tune.defaults.purge"): gone("tune.defaults.purge is left out: longshore needs the named defaults"),
    ("global", "stats"): stats_socket,
    ("ring", "size"): ring_size,
}
"""By section ("proxy" for defaults, frontend, backend and listen) and keyword."""
