"""`hold`: requests wait while a backend has no usable server, instead of being answered with 503.

A dozen lines of Lua, the same on every version. The script must be at `Paths.lua` before HAProxy reads its
configuration. A client that leaves ends its wait at once with HTTP/2 (HAProxy writes a line about it) and TCP. HTTP/1
clients are not watched by HAProxy before it has chosen a server: there the wait goes on.
"""

from __future__ import annotations

from typing import Final

ACTION: Final = "lua.longshore-hold"

SCRIPT: Final = """\
-- Written by longshore. Waits until the backend has a usable server, at most `limit` milliseconds.
local STEP = 20

local function gone(request) -- nothing more can come, and not for lack of room
  return not (request:may_recv() or request:is_full())
end

local function hold(txn, limit)
  local left = tonumber(limit)
  while left > 0 and (txn.f:nbsrv() or 0) == 0 and not gone(txn.req) do
    core.msleep(STEP)
    left = left - STEP
  end
end

core.register_action("longshore-hold", { "tcp-req", "http-req" }, hold, 1)
"""
