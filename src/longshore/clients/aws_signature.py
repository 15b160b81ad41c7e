"""AWS Signature Version 4: the headers that prove who asks. Pure; docs/adr/0016-our-own-signature.md says why ours.

    headers |= sign(Request("GET", "s3.eu-west-1.amazonaws.com", "/bucket/key"), credentials, scope, time.time())

Only what we ask is here: no query, and a path that is percent-encoded once, as S3 wants it. All other services want it
twice, which is the same for "/".

Source: "Signature Version 4 signing process" in AWS's documentation
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. `token` belongs to credentials that end; `expires` is when, in Unix seconds, 0 if nobody said."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for, on one day."""

    region: str
    service: str  # "ec2", "s3"


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be signed. The path is as it is meant, before any encoding."""

    method: str
    host: str  # with the port, if it is not the scheme's own
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        """The path as it goes over the wire: the very same text is signed."""
        return quote(self.path, safe="/-_.~") or "/"


def sign(request: Request, credentials: Credentials, scope: Scope, now: float) -> dict[str, str]:
    """Give the headers to send beside the request's own. `now` is Unix seconds: AWS lets it be some minutes off."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    added = {"x-amz-date": stamp}
    if credentials.token:
        added["x-amz-security-token"] = credentials.token
    if scope.service == "s3":
        added["x-amz-content-sha256"] = _hash(request.body)
    headers = {"host": request.host} | {key.lower(): value for key, value in request.headers.items()} | added
    names = ";".join(sorted(headers))
    reach = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join((ALGORITHM, stamp, reach, _hash(canonical(request, headers).encode())))
    key = f"AWS4{credentials.secret}".encode()
    for part in reach.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, to_sign).hex()
    said = f"{ALGORITHM} Credential={credentials.key_id}/{reach}, SignedHeaders={names}, Signature={signature}"
    return added | {"authorization": said}


def canonical(request: Request, headers: Mapping[str, str]) -> str:
    """Spell a request so that both sides spell it alike; names of `headers` are in lower case."""
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    return "\n".join(
        (
            request.method,
            request.target,
            "",  # the query
            *lines,
            "",
            ";".join(sorted(headers)),
            _hash(request.body),
        )
    )


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
