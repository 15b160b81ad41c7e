"""Let HAProxy itself judge a configuration (`haproxy -c`), and give each complaint its line."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from longshore.haproxy.faults import BinaryError, ConfigFault

_SAID = re.compile(r"^\[(ALERT|WARNING)\]\s+\(\d+\) : (.*)$")
_PLACE = re.compile(r"\[([^\]]*):(\d+)\]\s*:?\s*")
_SUMMARIES = ("Error(s) found in configuration file", "Fatal errors found in configuration", "Some warnings/errors")
_NO_LISTENER = 2  # exit code for a configuration without a frontend; it runs all the same, thanks to its sockets
_DEADLINE = 120.0  # seconds; resolving names in the operator's own lines may take long


async def check(binary: str, path: str) -> tuple[ConfigFault, ...]:
    """What HAProxy finds in the configuration at `path`; nothing fatal among it means that it would run.

    Opens no port and disturbs no running HAProxy. Raises `BinaryError` if HAProxy cannot be run.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            binary,
            "-c",
            "-f",
            path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise BinaryError(f"cannot run {binary}: {error.strerror}", "is HAProxy still installed?") from error
    try:
        async with asyncio.timeout(_DEADLINE):
            said = (await process.communicate())[1].decode("utf-8", "replace")
    except TimeoutError:
        raise BinaryError(f"{binary} -c -f {path} does not end within {_DEADLINE:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    faults = parse(said, await asyncio.to_thread(_lines, path))
    if process.returncode not in (0, _NO_LISTENER) and not any(fault.fatal for fault in faults):
        reason = said.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        faults += (ConfigFault(0, reason[0]),)
    return faults


def parse(said: str, lines: list[str]) -> tuple[ConfigFault, ...]:
    """Read alerts and warnings from what HAProxy writes to stderr; `lines` are those of the configuration."""
    faults = []
    for entry in said.splitlines():
        found = _SAID.match(entry)
        if not found:
            continue
        kind, text = found[1], re.sub(r"^(?:config : )+", "", found[2])
        if any(summary in text for summary in _SUMMARIES):
            continue
        number = 0
        if place := _PLACE.search(text):
            number = int(place[2])
            text = (text[: place.start()].removesuffix("parsing ") + text[place.end() :]).strip()
        source = lines[number - 1] if 0 < number <= len(lines) else ""
        section = _section(lines[:number]) if source else ""
        faults.append(ConfigFault(number, text, source.strip()[:200], section, fatal=kind == "ALERT"))
    return tuple(faults)


def _section(lines: list[str]) -> str:
    """The first line of the section that ends with these lines; lines of ours inside one are indented."""
    return next((line for line in reversed(lines) if line[:1].strip() and not line.startswith("#")), "")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []
