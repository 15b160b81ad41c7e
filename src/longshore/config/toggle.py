"""`from-toggle` of a service: a document elsewhere says which items of its `from` serve."""

from __future__ import annotations

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from longshore.config.dns import bearable
from longshore.config.ec2 import AwsAccess
from longshore.config.fields import Duration
from longshore.core.values import RefusedError, shown

EXAMPLE = '"s3://bucket/key", "https://host/path" or "file:///path"'


def document_url(value: str) -> str:
    """Check where a document is said to be."""
    expected = f"{shown(value)} is no place of a document, expected {EXAMPLE}"
    try:
        parts = urlsplit(value)
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or len(value) > 1000:
        raise RefusedError(expected)
    if value.startswith("s3://"):
        bucket, _, key = value.removeprefix("s3://").partition("/")
        if re.fullmatch(r"[A-Za-z0-9._-]{3,255}", bucket, re.ASCII) and key:
            return value
    elif parts.scheme in ("http", "https"):
        if parts.hostname and not parts.username and not parts.fragment and re.fullmatch(r"[!-~]+", value, re.ASCII):
            return value
    elif value.startswith("file:///") and len(value) > len("file:///"):
        return value
    raise RefusedError(expected, f"did you mean {shown(f'file://{value}')}?" if value.startswith("/") else "")


class FromToggle(AwsAccess):
    """Which items of a `from` list serve: those of the name (`as`) that a document says. It holds weights in YAML or
    JSON, `{primary: 90, next: 10}`; one name is drawn by them, and again whenever the weights change. Each balancer
    draws for itself; services with the same `from-toggle` share one draw. Until the document could be read `primary`
    serves, or else the first item; while it cannot be read, the last choice holds."""

    url: Annotated[str, AfterValidator(document_url)]
    """Where the document is: `s3://bucket/key`, `https://…`, `http://…` or `file:///…`."""
    interval: Annotated[Duration, AfterValidator(bearable)] = 60.0
    """Time between two looks at it, at least 1s."""

    @model_validator(mode="after")
    def is_for_s3(self) -> Self:
        """Only S3 asks who reads."""
        said = next((key for key in AwsAccess.model_fields if key in self.model_fields_set), None)
        if said and not self.url.startswith("s3://"):
            raise ValueError(f"`{said.replace('_', '-')}` has a meaning only with s3://")
        return self
