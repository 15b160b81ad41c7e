"""`hold`: requests wait while a backend has no usable server, instead of being answered with 503.

A dozen lines of Lua, the same on every version. The script must be at `Paths.lua` before HAProxy reads its
configuration. A client that leaves ends its wait at once with HTTP/2 (HAProxy writes a line about it) and TCP. HTTP/1
clients are not watched by HAProxy before it has chosen a server: there the wait goes on.

A request that was let through just before the last endpoint closed finds it closed, and HAProxy has nobody else to try:
503. So that it waits too, such a backend has one more server, a backup that refuses every connection: HAProxy tries it
every half second, until its tries end or a real server is there. The script must not take it for a usable one, and
knows it by its room: it is the only server with that much.
"""

from __future__ import annotations

import math
from typing import Final

from longshore.core.model import Policy
from longshore.core.server import Server

ACTION: Final = "lua.longshore-hold"
ENDED: Final = "txn.longshore_hold_ended"  # set when the wait was in vain
_MOST_RETRIES = 30  # they also repeat what a broken endpoint leaves unanswered

NOBODY: Final = Server("hold", "127.255.255.254", 1, "backup maxconn 1000000", 1)
"""Refuses at once, but not so much at once that HAProxy tries again without a pause (as an impossible address does)."""

SCRIPT: Final = f"""\
-- Written by longshore. Waits until the backend has a usable server, at most `limit` milliseconds.
local STEP = 20

local function gone(request) -- nothing more can come, and not for lack of room
  return not (request:may_recv() or request:is_full())
end

local function nobody(txn) -- no server, or only the one that refuses
  local room = txn.f:be_conn_free() or 0
  return room > 500000 or (room == 0 and (txn.f:nbsrv() or 0) == 0) -- 2.6 counts none once it was told to stop
end

local function hold(txn, limit)
  local left = tonumber(limit)
  while nobody(txn) do
    if left <= 0 or gone(txn.req) then
      txn:set_var("{ENDED}", 1)
      return
    end
    core.msleep(STEP)
    left = left - STEP
  end
end

core.register_action("longshore-hold", {{ "tcp-req", "http-req" }}, hold, 1)
"""


def retries(policy: Policy) -> int:
    """How often a service's requests are tried again: as long as they may be held, within reason."""
    pause = min(1.0, policy.connect_timeout)  # HAProxy's, before it tries a server again that has just refused
    return max(policy.retries, min(_MOST_RETRIES, math.ceil(policy.hold / pause)))
