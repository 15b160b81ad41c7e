"""What all services of AWS have in common: signed requests, and their failures in words.

    async with Aws("eu-west-1", environ=os.environ) as aws:
        body = await aws.send(Question("ec2", "POST", right="ec2:DescribeInstances"))

Every failure is an AwsError.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from longshore.clients import aws_xml
from longshore.clients.aws_credentials import Identity
from longshore.clients.aws_faults import refused, unreachable
from longshore.clients.aws_signature import Credentials, Request, Scope, sign
from longshore.clients.http_faults import FOREIGN
from longshore.clients.whole import whole


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    connect: float = 3.0
    answer: float = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    """One request. `right` is the permission that it takes."""

    service: str
    method: str
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    right: str = ""


class Aws:
    """One region, as one who asks. `endpoint` is where the API is, when it is not Amazon's."""

    def __init__(
        self,
        region: str = "",
        endpoint: str = "",
        *,
        environ: Mapping[str, str],
        given: Callable[[], Credentials] | None = None,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._region, self._endpoint, self._environ, self._given = region, endpoint.rstrip("/"), environ, given
        self._patience, self._clock = patience, clock
        self._session: aiohttp.ClientSession | None = None
        self._identity: Identity | None = None

    def __repr__(self) -> str:
        return f"<Aws {self._endpoint or self._region}>"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._patience.connect),
            headers={"Accept-Encoding": "identity", "User-Agent": "longshore"},
        )
        self._identity = Identity(self._session, self._environ, self._given)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def send(self, question: Question) -> bytes:
        """Ask, and give the body of the answer."""
        assert self._session is not None
        assert self._identity is not None, "use it as `async with Aws(…)`"
        region = self._region = self._region or await self._identity.region()
        credentials = await self._identity.credentials(self._clock())
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        base = self._endpoint or f"https://{question.service}.{region}.{domain}"
        place = urlsplit(base)
        where = f"{question.service.upper()} at {base}" if self._endpoint else f"{question.service.upper()} in {region}"
        path = place.path.rstrip("/") + question.path
        request = Request(question.method, place.netloc, path, question.headers, question.body)
        signed = sign(request, credentials, Scope(region, question.service), self._clock())
        try:
            async with (
                asyncio.timeout(self._patience.answer),
                self._session.request(
                    question.method,
                    URL(f"{place.scheme}://{place.netloc}{request.target}", encoded=True),
                    data=question.body or None,
                    headers={"host": place.netloc, **question.headers, **signed},
                    allow_redirects=False,
                ) as response,
            ):
                body = await whole(response)
        except FOREIGN as error:
            raise unreachable(error, where) from error
        if response.status == 200:
            return body
        if response.status in (400, 401, 403):
            self._identity.refused()
        apart = _moment(response.headers.get("Date", ""), self._clock()) - self._clock()
        said = aws_xml.fault(body)
        raise refused(where, response.status, said, credentials.key_id, question.right, apart)


def _moment(date: str, unknown: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return unknown
