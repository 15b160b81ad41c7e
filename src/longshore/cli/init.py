"""Being process 1 of a container: what runs inside is looked after, so that neither end nor crash costs a request.

The command itself runs in a child. Process 1 hands every signal on to it, collects what has ended, and

- ends with the command, once it was told to end or nothing else is left,
- starts the command again if it ended by itself and left HAProxy behind: the next one adopts it, no request is lost.

HAProxy, started by the command, becomes a child of process 1 when the command dies. What `docker exec` starts never
does, so whether there are children left says whether HAProxy is.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

HEEDED = frozenset(
    {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD}
)
ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
DRAIN = 8.0  # seconds that a HAProxy without longshore gets at the end; Docker kills after 10
FIRST, MOST = 0.1, 10.0  # seconds until the command is started again
LONG = 30.0  # seconds after which a run counts as one that worked


def look_after(command: Callable[[], int]) -> int:
    """Run the command in a child for as long as it is wanted; returns the exit code of the container."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)  # blocked, they wait for us, though process 1 has no defaults
    pause = FIRST
    while True:
        began = time.monotonic()
        child = _start(command)
        code, told = _until_ended(child)
        if told or not _reap():
            break
        pause = FIRST if time.monotonic() - began > LONG else pause
        _say(f"longshore ended ({_how(code)}) and HAProxy goes on; longshore is started again in {pause:g} s")
        if _told_within(pause):
            break
        pause = min(2 * pause, MOST)
    _drain()
    return code if code >= 0 else 128 - code


def _start(command: Callable[[], int]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEEDED)
    code = 1
    try:
        code = command()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _until_ended(child: int) -> tuple[int, bool]:
    """Hand signals on until the child has ended; answers its exit code and whether it had been told to end."""
    told = False
    while True:
        number = signal.Signals(signal.sigwaitinfo(HEEDED).si_signo)
        if number != signal.SIGCHLD:
            told = told or number in ENDING
            os.kill(child, number)
            continue
        while True:
            try:
                done, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 1, told  # cannot be: the child has not been collected
            if not done:
                break
            if done == child:
                return os.waitstatus_to_exitcode(status), told


def _reap() -> bool:
    """Collect all that has ended; tell whether somebody is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _told_within(seconds: float) -> bool:
    """Wait; true as soon as the container is told to end."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        got = signal.sigtimedwait(HEEDED, left)
        if got and signal.Signals(got.si_signo) in ENDING:
            return True
        if not _reap():
            return False
    return False


def _drain() -> None:
    """Have a HAProxy that longshore left behind finish what it has in hand (SIGUSR1, HAProxy management guide 3)."""
    end = time.monotonic() + DRAIN
    if _reap():
        _say("HAProxy is still there: it finishes what it has in hand")
        os.kill(-1, signal.SIGUSR1)
    while _reap() and (left := end - time.monotonic()) > 0:
        signal.sigtimedwait({signal.SIGCHLD}, left)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    print(f"longshore init: {text}", file=sys.stderr, flush=True)
