"""Who asks AWS: the keys that the operator gave, those of the environment, or the role of this very machine.

Source: "Standardized credential providers" (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html)
for names and order, of which these three are taken; "Use the Instance Metadata Service"
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html) for version 2 of that service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from longshore.clients.aws_faults import AwsError, no_credentials, no_region
from longshore.clients.aws_signature import Credentials
from longshore.clients.http_faults import FOREIGN, explain
from longshore.clients.whole import whole

METADATA = "http://169.254.169.254"
PATIENCE = 2.0  # seconds for an answer of the metadata service, which is next door or not there
EARLY = 300.0  # seconds before their end at which credentials are asked for again
FAILURES: tuple[type[Exception], ...] = (*FOREIGN, LookupError)
ROLE = "/latest/meta-data/iam/security-credentials/"


@dataclass(slots=True)
class Identity:
    """Finds credentials, and keeps them for as long as they are good.

    `given` are the operator's, asked for each time; `environ` is the environment.
    """

    session: aiohttp.ClientSession
    environ: Mapping[str, str]
    given: Callable[[], Credentials] | None = None
    _kept: Credentials | None = None

    async def credentials(self, now: float) -> Credentials:
        """Give credentials that are good at a time in Unix seconds. Raises AwsError."""
        if self.given is not None:
            return self.given()
        if key_id := self.environ.get("AWS_ACCESS_KEY_ID"):
            secret = self.environ.get("AWS_SECRET_ACCESS_KEY")
            if not secret:
                raise AwsError("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not", "set both, or none")
            return Credentials(key_id, secret, self.environ.get("AWS_SESSION_TOKEN", ""))
        if self._kept is None or self._kept.expires - EARLY < now:
            self._kept = await self._of_role()
        return self._kept

    def refused(self) -> None:
        """Forget what is kept: it was not taken."""
        self._kept = None

    async def region(self) -> str:
        """Give the region that this machine runs in. Raises AwsError."""
        try:
            return await self._ask("/latest/meta-data/placement/region", await self._token())
        except FAILURES as error:
            raise no_region(explain(error, "the metadata service")[0]) from error

    @property
    def _metadata(self) -> str:
        return self.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", METADATA).rstrip("/")

    async def _of_role(self) -> Credentials:
        if self.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise no_credentials("AWS_EC2_METADATA_DISABLED forbids to ask for this machine's role")
        try:
            token = await self._token()
            role = (await self._ask(ROLE, token)).split("\n")[0].strip()
            found = json.loads(await self._ask(ROLE + role, token))
            if found.get("Code", "Success") != "Success":
                raise no_credentials(f"the role {role} of this machine gives none: {found['Code']}")
            expires = datetime.fromisoformat(found["Expiration"]).timestamp()
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"], expires)
        except LookupError as error:
            raise no_credentials("this machine has no role") from error
        except (TypeError, AttributeError) as error:
            raise no_credentials("the metadata service answers something else") from error
        except FOREIGN as error:
            raise no_credentials(explain(error, "the metadata service")[0]) from error

    async def _token(self) -> str:
        """Begin a session, as version 2 demands."""
        return await self._ask("/latest/api/token", "", "PUT")

    async def _ask(self, path: str, token: str, method: str = "GET") -> str:
        """Raises LookupError if there is no such thing, and what a request raises."""
        headers = {"X-aws-ec2-metadata-token": token} if token else {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
        async with (
            asyncio.timeout(PATIENCE),
            self.session.request(method, self._metadata + path, headers=headers, allow_redirects=False) as response,
        ):
            body = (await whole(response, 2**16)).decode("utf-8")
            if response.status == 404:
                raise LookupError(path)
            if response.status != 200:
                raise ValueError(f"it answers {path} with {response.status}")
            return body.strip()
