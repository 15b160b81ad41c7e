"""The registrar's hand in the engine: one connection that is opened when it is needed, and again when it broke."""

from __future__ import annotations

import asyncio
import contextlib

from longshore.clients.docker import DockerClient
from longshore.clients.docker_faults import DockerError
from longshore.clients.tls import files_of
from longshore.sources.docker import DockerSettings


class EngineHand:
    """What runs commands in containers and signals them. Following the engine is somebody else's business."""

    def __init__(self, settings: DockerSettings) -> None:
        self._settings = settings
        self._client: DockerClient | None = None
        self._stack = contextlib.AsyncExitStack()
        self._opening = asyncio.Lock()

    async def client(self) -> DockerClient:
        """Give a client that worked when it was opened. Raises DockerError."""
        async with self._opening:
            if self._client is None:
                fresh = DockerClient(self._settings.host, tls=files_of(self._settings.tls))
                self._client = await self._stack.enter_async_context(fresh)
            return self._client

    async def look(self) -> bool:
        """Whether the engine answers. A connection that does not work any more is forgotten: tunnels end."""
        try:
            await (await self.client()).ping()
        except DockerError:
            await self.close()
            return False
        return True

    async def signal(self, container: str, name: str) -> None:
        """Send a signal. Raises DockerError; of a container that is gone or does not run nothing is said."""
        try:
            await (await self.client()).kill(container, name)
        except DockerError as error:
            if error.status not in (404, 409):
                await self.look()
                raise

    async def close(self) -> None:
        """Close the connection."""
        async with self._opening:
            self._client = None
            await self._stack.aclose()
