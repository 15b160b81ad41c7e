"""Signatures: those that AWS itself publishes for its examples.

- "AWS Signature Version 4 test suite": the cases get-vanilla, get-utf8, get-header-value-trim,
  post-x-www-form-urlencoded and get-vanilla-with-session-token, as they are in
  https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4
- "Example: GET object" of S3's reference:
  https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import time
from calendar import timegm

import pytest

from longshore.clients.aws_signature import Credentials, Request, Scope, sign

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SUITE = Credentials("AKIDEXAMPLE", SECRET)
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
HOST = "example.amazonaws.com"
FORM = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Content-Length": "13",
    "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
}


def moment(stamp: str) -> float:
    return timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))


def signature(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("case", "request_", "who", "expected"),
    [
        (
            "get-vanilla",
            Request("GET", HOST),
            SUITE,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-utf8",
            Request("GET", HOST, "/ሴ"),
            SUITE,
            "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
        ),
        (
            "get-header-value-trim",
            Request("GET", HOST, headers={"My-Header1": " value1", "My-Header2": ' "a   b   c"'}),
            SUITE,
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "post-x-www-form-urlencoded",
            Request("POST", HOST, headers=FORM, body=b"Param1=value1"),
            SUITE,
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
        (
            "get-vanilla-with-session-token",
            Request("GET", HOST),
            Credentials("AKIDEXAMPLE", SECRET, TOKEN),
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
    ],
)
def test_the_test_suite(case: str, request_: Request, who: Credentials, expected: str) -> None:
    headers = sign(request_, who, Scope("us-east-1", "service"), moment("20150830T123600Z"))
    assert signature(headers) == expected, case
    assert headers["x-amz-date"] == "20150830T123600Z"
    assert "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " in headers["authorization"]


def test_an_object_of_s3() -> None:
    """S3 wants the hash of the body in a header of its own, and gets it."""
    who = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    request = Request("GET", "examplebucket.s3.amazonaws.com", "/test.txt", {"Range": "bytes=0-9"})
    headers = sign(request, who, Scope("us-east-1", "s3"), moment("20130524T000000Z"))
    assert signature(headers) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, " in headers["authorization"]


def test_what_is_signed_is_what_is_sent() -> None:
    """A path is percent-encoded once, for the wire and for the signature alike."""
    assert Request("GET", HOST, "/my bucket/a+b=ü.yaml").target == "/my%20bucket/a%2Bb%3D%C3%BC.yaml"


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(Credentials("AKIDEXAMPLE", SECRET, TOKEN))
    assert TOKEN not in repr(Credentials("AKIDEXAMPLE", SECRET, TOKEN))
