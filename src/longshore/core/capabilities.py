"""What one HAProxy binary can do. Filled in by `haproxy.capabilities`, which asks the binary; never guessed.

`TYPICAL` holds what the Debian builds of the supported series answer: for `render` where no binary is at hand, and for
tests. 2.6 is the oldest series that is supported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OLDEST = (2, 6)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The differences between HAProxy versions that matter here. The defaults are those of 2.6."""

    version: str = "2.6"  # as the binary says it: "2.6.12-1+deb12u4"
    series: tuple[int, int] = OLDEST
    add_backend: bool = False  # `add backend NAME from DEFAULTS` at runtime (3.4)
    pool_conn_name: bool = False  # server keyword `pool-conn-name`: names a connection apart from its SNI (3.0)
    server_cookie: bool = False  # `add server` takes `cookie VALUE`; without it cookies are `dynamic` (3.0)
    guid: bool = False  # frontends and backends may carry a `guid` (3.0)
    stats_file: bool = False  # global `stats-file`: counters survive a reload (3.0)
    init_state: bool = False  # server keyword `init-state` (3.2)
    reload_answers: bool = False  # `reload` on the master socket answers Success=0/1 and the log (3.0)
    wait_removable: bool = False  # `wait DELAY srv-removable BACKEND/SERVER` (3.0)
    lua: bool = True  # built with Lua, which `hold` needs
    prometheus: bool = True  # built with the Prometheus exporter
    openssl: bool = True  # built with TLS


_3_0 = {"pool_conn_name": True, "server_cookie": True, "guid": True, "stats_file": True, "wait_removable": True}

TYPICAL: Mapping[tuple[int, int], Capabilities] = {
    (2, 6): Capabilities(),
    (3, 0): Capabilities(version="3.0", series=(3, 0), reload_answers=True, **_3_0),
    (3, 2): Capabilities(version="3.2", series=(3, 2), reload_answers=True, init_state=True, **_3_0),
    (3, 4): Capabilities(version="3.4", series=(3, 4), reload_answers=True, init_state=True, add_backend=True, **_3_0),
}
