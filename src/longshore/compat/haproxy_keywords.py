"""In which part of a `listen` section HAProxy's keywords count: in its frontend, its backend, or both.

Made from the matrices of proxy keywords in HAProxy's configuration manuals 2.6, 3.0, 3.2 and 3.4 (section 4.1) and, for
what HAProxy has dropped since, from those of 1.5 and 1.6. Where a keyword counts in both, Synapse wrote it into both.
"""

from __future__ import annotations

import re
from typing import Final

FRONTEND: Final = frozenset({"frontend"})
BACKEND: Final = frozenset({"backend"})
BOTH: Final = FRONTEND | BACKEND

_FRONTEND = (
    "backlog bind capture clitcpka-cnt clitcpka-idle clitcpka-intvl clitimeout crt declare default_backend "
    "error-log-format force-be-switch log-format log-format-sd log-steps max-session-srv-conns maxconn monitor "
    "monitor-net monitor-uri quic-initial rate-limit ssl-f-use unique-id-format unique-id-header use_backend"
)
_BACKEND = (
    "appsession balance be-unpublished contimeout cookie default-server dispatch external-check force-persist fullconn "
    "hash-balance-factor hash-preserve-affinity hash-type http-check http-reuse http-send-name-header ignore-persist "
    "load-server-state-from-file max-keep-alive-queue persist redisp redispatch retries retry-on server "
    "server-state-file-name server-template source srvtcpka-cnt srvtcpka-idle srvtcpka-intvl srvtimeout stick "
    "stick-table tcp-check tcp-response transparent use-fcgi-app use-server"
)
_BOTH = (
    "acl bind-process block compression description disabled email-alert enabled errorfile errorfiles errorloc "
    "errorloc302 errorloc303 filter grace guid http-after-response http-error http-request http-response id log "
    "log-tag mode redirect stats "
    "reqadd reqallow reqdel reqdeny reqiallow reqidel reqideny reqipass reqirep reqisetbe reqitarpit reqpass reqrep "
    "reqsetbe reqtarpit rspadd rspdel rspdeny rspidel rspideny rspirep rsprep"
)
_OPTIONS_FRONTEND = (
    "accept-invalid-http-request accept-unsafe-violations-in-http-request clitcpka contstats disable-h2-upgrade "
    "dontlog-normal dontlognull h1-case-adjust-bogus-client http-ignore-probes http-use-proxy-header httplog httpslog "
    "idle-close-on-response log-separate-errors logasap socket-stats tcp-smart-accept tcplog"
)
_OPTIONS_BACKEND = (
    "abortonclose accept-invalid-http-response accept-unsafe-violations-in-http-response allbackups allredisp "
    "checkcache external-check forwarded h1-case-adjust-bogus-server http-drop-request-trailers "
    "http-drop-response-trailers http-pretend-keepalive httpchk lb-agent-chk ldap-check log-health-checks mysql-check "
    "persist pgsql-check prefer-last-server redis-check redispatch smtpchk spop-check srvtcpka ssl-hello-chk tcp-check "
    "tcp-smart-connect transparent use-small-buffers"
)
_OPTIONS_BOTH = (
    "forceclose forwardfor http-buffer-request http-keep-alive http-no-delay http-restrict-req-hdr-names "
    "http-server-close http-tunnel http-use-htx http_proxy httpclose independent-streams nolinger originalto "
    "splice-auto splice-request splice-response tcpka tcpsplice"
)
_TIMEOUTS_FRONTEND = "client client-fin client-hs clitimeout"
_TIMEOUTS_BACKEND = "check connect contimeout queue server server-fin srvtimeout tunnel"
_TIMEOUTS_BOTH = "http-keep-alive http-request tarpit"


def _table(*rows: tuple[str, str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {f"{family}{word}": sides for family, words, sides in rows for word in words.split()}


SIDES: Final = _table(
    ("", _FRONTEND, FRONTEND),
    ("", _BACKEND, BACKEND),
    ("", _BOTH, BOTH),
    ("option ", _OPTIONS_FRONTEND, FRONTEND),
    ("option ", _OPTIONS_BACKEND, BACKEND),
    ("option ", _OPTIONS_BOTH, BOTH),
    ("timeout ", _TIMEOUTS_FRONTEND, FRONTEND),
    ("timeout ", _TIMEOUTS_BACKEND, BACKEND),
    ("timeout ", _TIMEOUTS_BOTH, BOTH),
    ("tcp-request ", "connection session", FRONTEND),
    ("tcp-request ", "content inspect-delay", BOTH),
)
"""The sides of each keyword: "retries", "option httplog", "timeout client"."""

ONCE: Final = frozenset({"filter", "guid", "http-after-response"})
"""Valid on both sides, unknown to Synapse, and not to be done twice: the frontend's, if there is one."""

DISCARDED: Final = frozenset(
    {
        *("be-unpublished", "clitcpka-cnt", "clitcpka-idle", "clitcpka-intvl", "crt", "error-log-format", "filter"),
        *("force-be-switch", "guid", "hash-balance-factor", "hash-preserve-affinity", "http-after-response"),
        *("http-check comment", "http-check connect", "http-check send", "http-check set-var", "http-check unset-var"),
        *("http-error", "max-session-srv-conns", "option disable-h2-upgrade", "option forwarded"),
        *("option h1-case-adjust-bogus-client", "option h1-case-adjust-bogus-server"),
        *("option http-drop-request-trailers", "option http-drop-response-trailers"),
        *("option http-restrict-req-hdr-names", "option httpslog", "option idle-close-on-response"),
        *("option spop-check", "option use-small-buffers", "quic-initial", "retry-on", "srvtcpka-cnt"),
        *("srvtcpka-idle", "srvtcpka-intvl", "stats show-version", "tcp-check comment", "tcp-check set-var"),
        *("tcp-check unset-var", "tcp-request session", "timeout client-hs", "use-fcgi-app"),
        *("option accept-unsafe-violations-in-http-request", "option accept-unsafe-violations-in-http-response"),
        *("option http-use-htx", "option tcpsplice", "ssl-f-use"),
    }
)
"""Keywords that Synapse 0.18.9 did not know and threw away, with a warning in its log."""


def keyword(line: str) -> str:
    """The keyword of a line as the tables have it: "option httplog"; an unknown one as it is written."""
    words = line.lower().split()
    if words[:1] == ["no"]:
        words = words[1:]
    if not words:
        return ""
    two = f"{words[0]} {re.split(r'[(]', words[1])[0]}" if len(words) > 1 else words[0]
    return two if two in SIDES or (words[0] not in SIDES and two.split()[0] in FAMILIES) else words[0]


FAMILIES: Final = frozenset(word.split()[0] for word in SIDES if " " in word)


def discarded(line: str) -> bool:
    """Whether Synapse threw this line away, because it came into HAProxy later than what it knew."""
    words = line.lower().removeprefix("no ").split()
    return words[:1] != [] and (words[0] in DISCARDED or " ".join(words[:2]).partition("(")[0] in DISCARDED)
