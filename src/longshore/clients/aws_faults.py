"""What can go wrong with AWS, in words for people: the one place that makes an AwsError.

Sources: "Error codes for the Amazon EC2 API" (https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html),
"Error responses" of S3 (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), "Troubleshoot Signature
Version 4 signing" (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html).
"""

from __future__ import annotations

from longshore.clients.faults import first_line
from longshore.clients.http_faults import explain
from longshore.clients.registry_faults import RegistryError

SKEW = 240.0
"""Seconds by which the clocks must differ before they are said to be the reason: AWS refuses from 300 on."""
CHECK = "check access-key-id and its secret, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
SLOWLY = "it will be asked again, more seldom for a while; a longer `interval` helps"


class AwsError(RegistryError):
    """AWS cannot be used, or refuses."""

    code = ""


class MissingError(AwsError):
    """There is no such thing."""


TABLE: dict[str, tuple[str, str]] = {  # code: what it means, hint; "{key}" is the id of the access key
    **dict.fromkeys(("InvalidClientTokenId", "InvalidAccessKeyId"), ("does not know the access key {key}", CHECK)),
    "AuthFailure": ("does not accept the access key {key}", CHECK),
    "SignatureDoesNotMatch": ("says that the secret does not belong to the access key {key}", CHECK),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "InvalidToken"),
        ("does not accept the session token: it has ended, or belongs to another key", "get new ones"),
    ),
    **dict.fromkeys(
        ("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"),
        ("says that it is another time than this machine's clock tells", "set the clock: is NTP running?"),
    ),
    "OptInRequired": ("says that the account does not have this region", "enable it, or check region"),
    **dict.fromkeys(
        ("RequestLimitExceeded", "Throttling", "ThrottlingException", "SlowDown", "Unavailable", "ServiceUnavailable"),
        ("asks us to slow down", SLOWLY),
    ),
}
DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "Forbidden")
MISSING = ("NoSuchKey", "NoSuchBucket")
ELSEWHERE = (
    "AuthorizationHeaderMalformed",
    "PermanentRedirect",
    "TemporaryRedirect",
    "IllegalLocationConstraintException",
)


def unreachable(error: BaseException, where: str) -> AwsError:
    """Translate an exception of a request."""
    what, hint = explain(error, where)
    if "does not resolve" in what:
        hint = "is the region right, and is there a way to AWS from here?"
    return AwsError(what, hint)


def refused(where: str, status: int, said: tuple[str, str, str], key: str, right: str, apart: float) -> AwsError:
    """Translate an answer that is not a success.

    `said` is what `aws_xml.fault` found, `right` what one must be allowed to, `apart` the seconds that AWS is ahead.
    """
    code, message, region = said
    error = _refused(where, status, code, first_line(message), region, key, right, apart)
    error.code = code
    return error


def _refused(
    where: str, status: int, code: str, message: str, region: str, key: str, right: str, apart: float
) -> AwsError:
    if status in (400, 401, 403) and abs(apart) > SKEW:
        way = "behind" if apart > 0 else "ahead of"
        what = f"{where} refuses us, and this machine's clock is {abs(apart) / 60:.0f} minutes {way} its"
        return AwsError(what, "set the clock: is NTP running?")
    if code in TABLE:
        what, hint = TABLE[code]
        return AwsError(f"{where} {what.format(key=key)}", hint)
    if code in DENIED or (status == 403 and not code):
        return AwsError(f"{where} does not permit {right} to {key}", f"give it the right `{right}`")
    if code in MISSING:
        return MissingError(f"{where} has no such {'bucket' if code == 'NoSuchBucket' else 'object'}", "check the url")
    if code in ELSEWHERE:
        hint = f"set region to {region}" if region else "check region and endpoint"
        return AwsError(f"{where} says that it is in another region", hint)
    told = f": {code} {message}".rstrip(": ") if code or message else ""
    hint = "is it a passing trouble of AWS?" if status >= 500 else ""
    return AwsError(f"{where} answers {status}{told}", hint)


def not_aws(where: str, why: str) -> AwsError:
    """Say that something else answers there."""
    return AwsError(f"what answers as {where} is not what was asked: {why}", "check endpoint and region")


def no_credentials(why: str) -> AwsError:
    """Say that nobody has told who asks."""
    hint = "set access-key-id and secret-access-key-file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    return AwsError(f"there are no credentials for AWS: {why}", f"{hint}; or give this machine a role")


def no_region(why: str) -> AwsError:
    """Say that nobody has told which region."""
    return AwsError(f"nobody says which region of AWS: {why}", "set region, or AWS_REGION")
