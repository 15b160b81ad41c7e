"""`longshore agent`: tells balancers what runs on this machine, until SIGTERM. What it does is `agent.node`'s."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

import structlog
from cyclopts import Parameter

from longshore import __version__
from longshore.agent.node import NodeAgent
from longshore.cli import logs
from longshore.cli.ending import FINDING, FINE, End
from longshore.cli.options import ConfigFile
from longshore.config import Config, ConfigError, load
from longshore.core.model import Problem
from longshore.web.snapshots import Cannot, Snapshots

log = structlog.get_logger()
LOOK = 1.0
"""Seconds between looks at what is wrong."""


def agent(
    *,
    config: ConfigFile = None,
    log: Annotated[
        logs.Style, Parameter(show_default=True, help="How to log: for people, key=value or JSON.")
    ] = "auto",
) -> int:
    """Tell balancers what runs on this machine, the moment it changes, until SIGTERM.

    It follows the local engine and serves its containers as a stream; balancers listen with the source `agents`. The
    section `agent` of the configuration says where it listens and who may call; without a file the variables
    LONGSHORE_AGENT_BIND, LONGSHORE_AGENT_TOKEN_FILE … do.
    """
    try:
        loaded = load(config, dict(os.environ)).config
    except ConfigError as error:
        hint = "`longshore check` checks it without starting anything"
        raise End(FINDING, "\n".join(map(str, error.problems)), hint) from None
    logs.set_up(log)
    return asyncio.run(_serve(loaded))


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    node = NodeAgent(config.agent, config.here.zone_name(config.register_))
    work = asyncio.create_task(node.run())
    telling = asyncio.create_task(_tell(node))
    try:
        async with Snapshots(node, config.agent):
            log.info("the agent serves", address=config.agent.bind, engine=config.agent.host, longshore=__version__)
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if work.done():
                work.result()
    except Cannot as error:
        raise End(FINDING, str(error), error.hint) from None
    finally:
        for task in (work, telling):
            task.cancel()
        await asyncio.gather(work, telling, return_exceptions=True)
    return FINE


async def _tell(node: NodeAgent) -> None:
    """Log what is wrong, once each time."""
    told: Problem | None = None
    while True:
        if node.problem != told:
            told = node.problem
            if told:
                log.warning(told.what, hint=told.hint)
            else:
                log.info("the engine is followed", containers=node.count)
        await asyncio.sleep(LOOK)
