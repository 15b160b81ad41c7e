"""What a HAProxy binary can do, found out by asking it: `haproxy -vv`, and a throwaway instance's two sockets.

Distributions patch and disable things, so that a version number promises nothing. The throwaway listens on nothing but
sockets in a private folder, lives for some 50 ms, and tries for real what matters: a keyword of `add server` that it
does not know is refused by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from longshore.clients.haproxy import Reply, RuntimeClient, command
from longshore.clients.haproxy_faults import HAProxyError, UnreachableError
from longshore.clients.haproxy_master import MasterClient
from longshore.core.capabilities import OLDEST, Capabilities
from longshore.haproxy.faults import BinaryError

_INSTALL = (
    "install it (Debian and Ubuntu: apt install haproxy) or say where it is: `haproxy: {binary: /path/to/haproxy}`"
)
_USUAL = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/bin")  # not on everybody's PATH
_DEADLINE = 20.0

_CONFIG = """\
global
    stats socket {folder}/runtime.sock mode 600 level admin
    maxconn 10
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
backend probe
"""

_known: dict[tuple[str, int, int], Capabilities] = {}


def find_binary(name: str = "haproxy") -> str:
    """Return the absolute path of the HAProxy that `name` means; raises `BinaryError` if there is none."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_USUAL))
    found = shutil.which(name, path=path)
    if found is None:
        if Path(name).is_file():
            raise BinaryError(f"{name} may not be executed", _INSTALL)
        raise BinaryError(f"no HAProxy: there is no program {name!r}", _INSTALL)
    return str(Path(found).absolute())


async def probe(binary: str) -> Capabilities:
    """Ask the binary at this path. Remembered until the file changes. Raises `BinaryError`."""
    key = _identity(binary)
    if key not in _known:
        _known[key] = await _ask(binary)
    return _known[key]


async def probe_running(runtime: RuntimeClient, binary: str = "") -> Capabilities:
    """Ask the HAProxy that runs: its own executable, which an upgrade may have replaced on disk, else `binary`."""
    info = await runtime.info()
    version, found = info.get("Version", "?"), ""
    for candidate in filter(None, (f"/proc/{info.get('Pid', 'self')}/exe", binary)):
        try:
            capabilities = await probe(candidate)
        except BinaryError as error:
            found = found or error.what
            continue
        if capabilities.version == version:
            return capabilities
        found = f"{candidate} is {capabilities.version}"
    raise BinaryError(
        f"cannot find out what the running HAProxy {version} can do: {found}",
        "set `haproxy: {binary: …}` to the HAProxy that runs",
    )


async def _ask(binary: str) -> Capabilities:
    told = await _told(binary)
    found = re.search(r"HAProxy version ((\d+)\.(\d+)\S*)", told)
    if not found:
        raise BinaryError(f"{binary} is no HAProxy; it says {told[:200]!r}", _INSTALL)
    version, series = found[1], (int(found[2]), int(found[3]))
    if series < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise BinaryError(
            f"HAProxy {version} ({binary}) is too old: {oldest} or later is needed",
            "Debian 12, Ubuntu 24.04 and later carry one; or say where another is: `haproxy: {binary: …}`",
        )
    features = set(re.findall(r"\+(\w+)", "".join(re.findall(r"^Feature list : (.*)$", told, re.MULTILINE))))
    async with _throwaway(binary) as (runtime, of_master):
        wait, *tried = await runtime.run(
            [
                "wait -h",
                _try("pool-conn-name", "str(x)"),
                _try("cookie", "x"),
                _try("guid", "x"),
                _try("init-state", "up"),
            ]
        )
        pool_conn_name, cookie, guid, init_state = (reply.ok for reply in tried)
        commands = await runtime.ask("help")
        return Capabilities(
            version=version,
            series=series,
            add_backend=_lists(commands, "add backend") and not re.match(r"3\.4(\.[0-3])?\b(?!\.)", version),
            pool_conn_name=pool_conn_name,
            server_cookie=cookie,
            guid=guid,
            stats_file=_lists(commands, "dump stats-file"),
            init_state=init_state,
            reload_answers=_lists(of_master, "show startup-logs"),  # both came with 2.7
            wait_removable=_offers(wait, "srv-removable"),
            lua="LUA" in features,
            prometheus="PROMEX" in features,
            openssl=bool(features & {"OPENSSL", "OPENSSL_AWSLC", "OPENSSL_WOLFSSL"}),
        )


def _identity(binary: str) -> tuple[str, int, int]:
    try:
        status = Path(binary).stat()
    except OSError as error:
        raise BinaryError(f"no HAProxy at {binary}: {error.strerror}", _INSTALL) from error
    return (binary, status.st_mtime_ns, status.st_ino)


def _try(keyword: str, value: str) -> str:
    return command("add", "server", f"probe/{keyword}", "127.0.0.1:1", keyword, value)


def _lists(help_text: str, words: str) -> bool:
    return re.search(rf"^\s*{re.escape(words)}\b", help_text, re.MULTILINE) is not None


def _offers(reply: Reply, word: str) -> bool:
    return reply.ok and word in reply.text


async def _told(binary: str) -> str:
    """What `haproxy -vv` prints."""
    process = await _run(binary, "-vv")
    try:
        async with asyncio.timeout(_DEADLINE):
            printed, _ = await process.communicate()
    except TimeoutError:
        raise BinaryError(f"{binary} -vv does not end") from None
    finally:
        await _end(process)
    text = printed.decode("utf-8", "replace")
    if process.returncode:
        raise BinaryError(f"{binary} -vv ends with exit code {process.returncode}: {text.strip()[-300:]}", _INSTALL)
    return text


@asynccontextmanager
async def _throwaway(binary: str) -> AsyncIterator[tuple[RuntimeClient, str]]:
    """Run an instance that serves nothing, for as long as the block lasts; with the help of its master socket."""
    with tempfile.TemporaryDirectory(prefix="longshore-probe-") as folder:
        process = await _run(binary, "-W", "-S", f"{folder}/master.sock", "-f", _written(folder))
        refused: HAProxyError | None = None
        try:
            async with RuntimeClient(f"{folder}/runtime.sock") as runtime:
                master = MasterClient(f"{folder}/master.sock", timeout=0.5)
                await _answers(process, lambda: runtime.ask("show version"))
                yield runtime, await _answers(process, lambda: master.ask("help"))
        except HAProxyError as error:
            refused = error
        finally:
            said = await _end(process)
        if refused:
            raise BinaryError(
                f"a trial run of {binary} failed: {refused.what}; it says: {said.strip()[-500:]}"
            ) from refused


def _written(folder: str) -> str:
    path = Path(folder, "probe.cfg")
    path.write_text(_CONFIG.format(folder=folder))
    return str(path)


async def _answers(process: asyncio.subprocess.Process, ask: Callable[[], Awaitable[str]]) -> str:
    """Ask until there is an answer: while it starts there is none, and a master of 2.6 may close without a word."""
    end = asyncio.get_running_loop().time() + _DEADLINE
    while True:
        try:
            if (text := await ask()) or asyncio.get_running_loop().time() > end:
                return text
        except UnreachableError:
            if process.returncode is not None or asyncio.get_running_loop().time() > end:
                raise
        await asyncio.sleep(0.005)


async def _run(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        raise BinaryError(f"cannot run {arguments[0]}: {error.strerror}", _INSTALL) from error


async def _end(process: asyncio.subprocess.Process) -> str:
    """Stop it if it still runs; answers what it printed."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(5):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        printed, _ = await process.communicate()
    return printed.decode("utf-8", "replace")
