"""The source `ec2`: machines of Amazon's EC2 by their tags. And how AWS is spoken to, which others need as well."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, SecretStr, model_validator

from longshore.config.dns import bearable
from longshore.config.fields import Duration, FilePath, http_url
from longshore.config.section import Section
from longshore.core.values import RefusedError, shown


def region_name(value: str) -> str:
    """Check the name of a region: it becomes part of a host name."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?", value, re.ASCII):
        raise RefusedError(f"{shown(value)} is not the name of a region", 'write "eu-west-1"')
    return value


def key_id(value: str) -> str:
    """Check the id of an access key."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", value, re.ASCII):
        raise RefusedError(f"{shown(value)} is not the id of an access key", 'they look like "AKIAIOSFODNN7EXAMPLE"')
    return value


class AwsAccess(Section):
    """How AWS is reached, and as whom."""

    region: Annotated[str, AfterValidator(region_name)] | None = None
    """The region: "eu-west-1". Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, else the one this machine runs in."""
    endpoint: Annotated[str, http_url("https://ec2.eu-west-1.amazonaws.com")] | None = None
    """Where the API is, when it is not Amazon's. Default: `AWS_ENDPOINT_URL`."""
    access_key_id: Annotated[str, AfterValidator(key_id)] | None = None
    """Who asks. Default: `AWS_ACCESS_KEY_ID` and its companions, else the role that this machine has."""
    secret_access_key_file: FilePath | None = None
    """A file with the secret that belongs to `access-key-id`."""
    secret_access_key: SecretStr | None = None
    """That secret itself; better in a file, which not everybody may read."""

    @model_validator(mode="after")
    def is_whole(self) -> Self:
        """A key is of no use without its secret."""
        secrets = (self.secret_access_key_file is not None) + (self.secret_access_key is not None)
        if secrets == 2:
            raise ValueError("has both secret-access-key-file and secret-access-key; expected one of them")
        if secrets != (self.access_key_id is not None):
            missing = "secret-access-key-file" if self.access_key_id else "access-key-id"
            raise ValueError(f"has half of the credentials: add {missing}, or leave all to the environment")
        return self


class Ec2Source(AwsAccess):
    """Machines of Amazon's EC2 that run, by their tags. `services:` says which."""

    type: Literal["ec2"] = "ec2"
    """What kind of source it is; may be left out when the source is named `ec2`."""
    interval: Annotated[Duration, AfterValidator(bearable)] = 15.0
    """Time between two questions, at least 1s."""
