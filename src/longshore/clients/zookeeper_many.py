"""Many questions of one kind, asked from the thread that gets the answers. The event loop hears of them at the end.

A prefix with ten thousand entries is read in half the time that one question at a time through the event loop takes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from longshore.clients.zookeeper_faults import ZooKeeperError, ZooKeeperRefusedError


class Many:
    """Asks `ask(path)` for each path, `at_once` at a time, and calls `done` with the answers in the order of the paths.

    An answer is what kazoo gave or a ZooKeeperRefusedError; any other fault is the answer to everything. `paths` must
    not be empty.
    """

    def __init__(
        self,
        ask: Callable[[str], Any],
        paths: Sequence[str],
        at_once: int,
        translate: Callable[[Exception, str], ZooKeeperError],
        done: Callable[[list[Any] | ZooKeeperError], None],
    ) -> None:
        self._ask, self._paths, self._translate, self._done = ask, paths, translate, done
        self._answers: list[Any] = [None] * len(paths)
        self._left = len(paths)
        self._counting = threading.Lock()
        self._next = iter(range(len(paths)))  # two threads share it at the start; a step of it is never interrupted
        for _ in range(min(at_once, len(paths))):
            self._go_on()

    def stop(self) -> None:
        """Ask nothing more."""
        self._next = iter(range(0))

    def _go_on(self) -> None:
        for index in self._next:
            try:
                self._ask(self._paths[index]).rawlink(partial(self._take, index))
            except (ValueError, TypeError) as error:  # no path
                self._note(index, self._translate(error, self._paths[index]))
                continue
            return

    def _take(self, index: int, result: Any) -> None:
        error = result.exception
        self._note(index, self._translate(error, self._paths[index]) if error is not None else result.value)
        self._go_on()

    def _note(self, index: int, answer: Any) -> None:
        if isinstance(answer, ZooKeeperError) and not isinstance(answer, ZooKeeperRefusedError):
            self.stop()
            self._done(answer)
            return
        self._answers[index] = answer
        with self._counting:
            self._left -= 1
            is_last = not self._left
        if is_last:
            self._done(self._answers)
