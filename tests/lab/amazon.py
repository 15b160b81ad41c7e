"""The little of AWS that longshore asks for: EC2's DescribeInstances, S3's GetObject, and a machine's metadata service.

    with Amazon() as amazon:
        amazon.machine("i-1", "10.0.0.5", Name="web")
        amazon.objects["/toggles/web.yaml"] = b"primary: 1"

Every signature is computed here again, from what arrived, by code that shares nothing with longshore's. Answers are as
in https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tests.lab.api import Api, Call, Reply

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@dataclass(frozen=True)
class Machine:
    """An instance."""

    id: str
    address: str
    state: str = "running"
    zone: str = "eu-west-1a"
    tags: dict[str, str] = field(default_factory=dict)

    def xml(self) -> str:
        """One <item> of an <instancesSet>, as the API's reference shows it, much shortened."""
        tags = "".join(
            f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in self.tags.items()
        )
        dns = f"ip-{self.address.replace('.', '-')}.{REGION}.compute.internal" if self.address else ""
        place = f"<privateIpAddress>{self.address}</privateIpAddress>" if self.address else ""
        return f"""<item><instanceId>{self.id}</instanceId><imageId>ami-bff32ccc</imageId>
            <instanceState><code>16</code><name>{self.state}</name></instanceState>
            <privateDnsName>{dns}</privateDnsName><dnsName/><keyName>my_keypair</keyName>
            <instanceType>t2.micro</instanceType><launchTime>2018-05-08T16:46:19.000Z</launchTime>
            <placement><availabilityZone>{self.zone}</availabilityZone><tenancy>default</tenancy></placement>
            {place}<tagSet>{tags}</tagSet></item>"""


class Amazon(Api):
    """One region. Its clock is `ahead` of ours by so many seconds; it lists `page` machines at once."""

    def __init__(self, *, token: str = "", page: int = 1000) -> None:
        super().__init__()
        self.machines: dict[str, Machine] = {}
        self.objects: dict[str, bytes] = {}
        self.token = token  # that belongs to the key
        self.page = page
        self.ahead = 0.0
        self.denied = False
        self.busy = False
        self.endless = False  # pages without an end
        self.region = REGION

    def machine(self, identity: str, address: str, state: str = "running", **tags: str) -> None:
        """Run a machine, or change it."""
        self.machines[identity] = Machine(identity, address, state, tags=tags)

    def reply(self, call: Call) -> Reply:
        """Answer a request."""
        service = "s3" if call.method == "GET" else "ec2"
        if why := self._refusal(call, service):
            return self._failure(service, *why)
        if service == "s3":
            found = self.objects.get(call.path)
            return self._failure("s3", 404, "NoSuchKey", "") if found is None else Reply(found)
        return Reply(self._described(dict(parse_qsl(call.body.decode()))), headers={"Content-Type": "text/xml"})

    def _refusal(self, call: Call, service: str) -> tuple[int, str, str] | None:
        said = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            call.headers.get("authorization", ""),
        )
        if said is None:
            return 400, "MissingAuthenticationToken", "Request is missing Authentication Token"
        key, day, region, asked, names, signature = said.groups()
        if key != KEY:
            code = "InvalidAccessKeyId" if service == "s3" else "AuthFailure"
            return 403 if service == "s3" else 401, code, "AWS was not able to validate the provided access credentials"
        if signature != _signature(call, day, region, asked, names):
            return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match"
        if (region, asked) != (self.region, service):
            return 400, "AuthorizationHeaderMalformed", f"the region is wrong; expecting '{self.region}'"
        stamp = timegm(time.strptime(call.headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
        if abs(time.time() + self.ahead - stamp) > 300:
            return (403, "RequestTimeTooSkewed", "") if service == "s3" else (400, "RequestExpired", "")
        if call.headers.get("x-amz-security-token", "") != self.token:
            return 400, "ExpiredToken", "The provided token has expired."
        needed = {"host", "x-amz-date", *(["x-amz-content-sha256"] if service == "s3" else [])}
        assert needed | ({"x-amz-security-token"} if self.token else set()) <= set(names.split(";")), names
        if self.busy:
            return 503, "RequestLimitExceeded", "Request limit exceeded."
        return (403, "UnauthorizedOperation", "You are not authorized") if self.denied else None

    def _failure(self, service: str, status: int, code: str, message: str) -> Reply:
        region = f"<Region>{self.region}</Region>" if code == "AuthorizationHeaderMalformed" else ""
        error = f"<Error><Code>{code}</Code><Message>{message}</Message>{region}</Error>"
        body = error if service == "s3" else f"<Response><Errors>{error}</Errors><RequestID>7a62</RequestID></Response>"
        date = {"Date": formatdate(time.time() + self.ahead, usegmt=True)}
        return Reply(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), status, date)

    def _described(self, words: dict[str, str]) -> bytes:
        assert words["Action"] == "DescribeInstances"
        assert words["Version"] == "2016-11-15"
        found = [each for each in self.machines.values() if all(_meets(each, *one) for one in _filters(words))]
        begin = int(words.get("NextToken", "0"))
        page = found[begin : begin + self.page]
        more = "<nextToken>0</nextToken>" if self.endless else ""
        if begin + self.page < len(found):
            more = f"<nextToken>{begin + self.page}</nextToken>"
        reservations = "".join(
            f"<item><reservationId>r-1</reservationId><groupSet/><instancesSet>{each.xml()}</instancesSet></item>"
            for each in page
        )
        return f"""<DescribeInstancesResponse xmlns="{NAMESPACE}"><requestId>8f7724cf</requestId>
            <reservationSet>{reservations}</reservationSet>{more}</DescribeInstancesResponse>""".encode()


class Metadata(Api):
    """The service that every machine in EC2 has at 169.254.169.254: version 2, which wants a session's token first."""

    def __init__(self, role: str = "web-role", *, token: str = "") -> None:
        super().__init__()
        self.role, self.token, self.expires = role, token, "2999-01-01T00:00:00Z"

    def reply(self, call: Call) -> Reply:
        """Answer a request."""
        if (call.method, call.path) == ("PUT", "/latest/api/token"):
            return Reply(b"session") if call.headers.get("x-aws-ec2-metadata-token-ttl-seconds") else Reply(status=400)
        if call.headers.get("x-aws-ec2-metadata-token") != "session":
            return Reply(status=401)
        credentials = {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": KEY, "SecretAccessKey": SECRET}
        credentials |= {"Token": self.token, "Expiration": self.expires}
        known = {"/latest/meta-data/placement/region": REGION.encode()}
        if self.role:
            roles = "/latest/meta-data/iam/security-credentials/"
            known |= {roles: self.role.encode(), roles + self.role: json.dumps(credentials).encode()}
        return Reply(known[call.path]) if call.path in known else Reply(status=404)


def _filters(words: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    for number in range(1, 100):
        if name := words.get(f"Filter.{number}.Name"):
            yield name, [value for key, value in words.items() if key.startswith(f"Filter.{number}.Value.")]


def _meets(machine: Machine, name: str, values: list[str]) -> bool:
    if name == "instance-state-name":
        return machine.state in values
    if name == "tag-key":
        return any(_like(key, value) for key in machine.tags for value in values)
    has = machine.tags.get(name.removeprefix("tag:"))
    return has is not None and any(_like(has, value) for value in values)


def _like(text: str, pattern: str) -> bool:
    """A filter's value: `*` and `?` mean anything, unless a backslash stands before them."""
    glob = re.sub(r"\\(.)", lambda found: f"[{found[1]}]" if found[1] in "*?" else found[1], pattern)
    return fnmatchcase(text, glob)


def _signature(call: Call, day: str, region: str, service: str, names: str) -> str:
    lines = [f"{name}:{re.sub(' +', ' ', call.headers[name].strip())}\n" for name in names.split(";")]
    payload = hashlib.sha256(call.body).hexdigest()
    path, _, query = call.target.partition("?")
    asked = hashlib.sha256(f"{call.method}\n{path}\n{query}\n{''.join(lines)}\n{names}\n{payload}".encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{call.headers['x-amz-date']}\n{day}/{region}/{service}/aws4_request\n{asked}"
    key = ("AWS4" + SECRET).encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key.hex()
