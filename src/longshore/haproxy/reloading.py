"""One reload without losing a request: save what the workers know, tell the master, find the new worker, go over to it.

HAProxy 2.7 and later answer `reload` with the result. 2.6 says nothing, and its master does not listen for a moment:
there, `show proc` lists either a new worker or a higher number of failures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from longshore.clients.haproxy import RuntimeClient
from longshore.clients.haproxy_faults import HAProxyError, UnreachableError
from longshore.clients.haproxy_master import MasterClient, Processes
from longshore.core.paths import Paths
from longshore.core.render import first_files
from longshore.haproxy.config_file import write
from longshore.haproxy.faults import ReloadError
from longshore.haproxy.identity import Identity, identify
from longshore.haproxy.output import Output, alerts

_DEADLINE = 60.0  # seconds until a new worker must serve
_POLL = 0.01


async def reload(
    master: MasterClient, runtime: RuntimeClient, output: Output | None, known: Identity | None = None
) -> Processes:
    """Make the master load its configuration anew and connect `runtime` to the new worker. `known` is that master.

    Raises `ReloadError` with HAProxy's reason; the old worker then keeps serving. Nobody waits for a master that ended.
    """
    before = await running(master, known)
    known = known or identify(before.master)
    mark = output.mark() if output else 0
    answer = await master.reload()
    if answer.ok is False:
        raise ReloadError(f"HAProxy refuses to reload: {alerts(answer.log) or 'it gives no reason'}", _SAFE)
    try:
        async with asyncio.timeout(_DEADLINE):
            now = await _new_worker(master, before, known)
            if not now.worker or now.worker in before.pids:
                reason = alerts(output.since(mark)) if output else ""
                raise ReloadError(f"HAProxy refuses to reload: {reason or 'its log tells why'}", _SAFE)
            await _go_over(runtime, now.worker, known)
    except TimeoutError:
        raise ReloadError(f"HAProxy has no new worker {_DEADLINE:.0f} s after it was told to reload", _SAFE) from None
    return now


_SAFE = "the old configuration goes on serving"


async def whole(work: Coroutine[Any, Any, Processes]) -> Processes:
    """Do not let a cancellation cut a reload in the middle: it is finished, or taken back, first."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen; being cancelled is what counts
        raise


async def running(master: MasterClient, known: Identity | None = None, deadline: float = 15.0) -> Processes:
    """Ask the master who runs; patient, because it does not answer while it re-executes itself."""
    end = asyncio.get_running_loop().time() + deadline
    while True:
        try:
            return await master.processes()
        except UnreachableError:
            if asyncio.get_running_loop().time() > end:
                raise
            await _pause(known)


async def _pause(known: Identity | None) -> None:
    """Wait a moment before asking again. Raises `ReloadError` if there is nobody to ask any more."""
    if known is not None and not known.alive:
        raise ReloadError(f"HAProxy (pid {known.pid}) ended when it should reload")
    await asyncio.sleep(_POLL)


async def _go_over(runtime: RuntimeClient, worker: int, known: Identity | None) -> None:
    """Connect to this worker; waits until it has taken over the socket."""
    while True:
        try:
            await runtime.renew()
            if runtime.pid == worker:
                return
        except UnreachableError:
            pass
        await _pause(known)


async def save_states(runtime: RuntimeClient, paths: Paths) -> None:
    """Write the state of all servers, and all counters where HAProxy can, for the next worker to start from."""
    try:
        states, counters = await runtime.run(["show servers state", "dump stats-file"])
    except HAProxyError:
        clear_states(paths)  # old states would be worse than none
        return
    for path, reply in ((paths.server_state, states), (paths.stats, counters)):
        write(Path(path), reply.text + "\n" if reply.ok else first_files(paths)[path])


def clear_states(paths: Paths) -> None:
    """Let the next worker start with nothing but its configuration."""
    for path, text in first_files(paths).items():
        write(Path(path), text)


async def _new_worker(master: MasterClient, before: Processes, known: Identity | None) -> Processes:
    """Wait for the end of a reload: a worker that was not there before, or one more failure."""
    while True:
        try:
            now = await master.processes()
        except UnreachableError:
            pass  # the master re-executes itself
        else:
            if now.worker and now.worker not in before.pids:
                return now
            if now.failed and now.reloads > before.reloads:
                return now
        await _pause(known)
