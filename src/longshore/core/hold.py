"""`hold`: requests wait while a backend has no usable server, instead of being answered with 503.

A dozen lines of Lua, the same on every version. The script must be at `Paths.lua` before HAProxy reads its
configuration.
"""

from __future__ import annotations

from typing import Final

ACTION: Final = "lua.longshore-hold"

SCRIPT: Final = """\
-- Written by longshore. Waits until the backend has a usable server, at most `limit` milliseconds.
local STEP = 20

local function hold(txn, limit)
  local left = tonumber(limit)
  while left > 0 and (txn.f:nbsrv() or 0) == 0 do
    -- The wait is refused when the client has left: then nothing is left to hold.
    if not pcall(core.msleep, STEP) then return end
    left = left - STEP
  end
end

core.register_action("longshore-hold", { "tcp-req", "http-req" }, hold, 1)
"""
