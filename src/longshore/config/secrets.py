"""Secrets that the configuration names by their file. Their content is read late, and never printed."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from longshore.config.document import content, unreadable
from longshore.config.problems import ConfigError, ConfigProblem, Place

LONGEST = 4096


def read_token(path: Path) -> SecretStr:
    """Read the token in a file, without the line's end. Raises ConfigError, which does not repeat the content."""
    try:
        token = content(path).strip()
    except OSError as error:
        raise ConfigError(unreadable(error, path).problems) from None
    if not token:
        raise _refused(path, "is empty, expected a token")
    if len(token) > LONGEST:
        raise _refused(path, f"is larger than {LONGEST} bytes, expected a token")
    if not token.isascii() or not all(33 <= byte <= 126 for byte in token):
        raise _refused(path, "is not one word of ASCII characters, expected a token")
    return SecretStr(token.decode("ascii"))


def _refused(path: Path, what: str) -> ConfigError:
    hint = f"make one with: openssl rand -hex 32 > {path}"
    return ConfigError([ConfigProblem(Place(str(path)), what, hint=hint)])
