"""Small documents by their URL: an object of S3, a page of a web server, a file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import aiohttp

from longshore.clients.aws import Question
from longshore.clients.faults import Fault
from longshore.clients.http_faults import FOREIGN, explain
from longshore.clients.whole import whole
from longshore.sources.blocking import in_thread
from longshore.sources.ec2 import AccessSettings, client_of

LIMIT = 2**20
"""Bytes that a document may have."""
CONNECT, ANSWER = 3.0, 20.0
"""Seconds."""


class DocumentError(Fault):
    """A document cannot be read."""


class DocumentSettings(AccessSettings, Protocol):
    """What is read of a section that names a document."""

    @property
    def url(self) -> str: ...  # noqa: D102  the name says it


async def fetch(settings: DocumentSettings, environ: Mapping[str, str]) -> bytes:
    """Read a document. Raises Fault."""
    scheme, _, rest = settings.url.partition("://")
    match scheme:
        case "s3":
            bucket, _, key = rest.partition("/")
            async with client_of(settings, environ) as aws:
                return await aws.send(Question("s3", "GET", f"/{bucket}/{key}", right="s3:GetObject"))
        case "file":
            return await _file(Path(rest))
    return await _page(settings.url)


async def _file(path: Path) -> bytes:
    try:
        return await in_thread(partial(_content, path), f"read {path}")
    except OSError as error:
        hint = "check the path and who may read the file"
        raise DocumentError(f"{path}: {error.strerror or error}", hint) from error


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(LIMIT + 1)


async def _page(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT)
    try:
        async with (
            asyncio.timeout(ANSWER),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as session,
            session.get(url, max_redirects=3, headers={"User-Agent": "longshore"}) as response,
        ):
            body = await whole(response, LIMIT)
    except FOREIGN as error:
        raise DocumentError(*explain(error, url)) from error
    if response.status != 200:
        raise DocumentError(f"{url} answers {response.status}", "check the url")
    return body
