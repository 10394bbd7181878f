"""End a process that makes no progress. It runs in its own thread, because the loop may be what hangs (PROTOCOL law 9).

It counts its own checks, not the elapsed time: a process that was stopped (SIGSTOP, a suspended laptop) and continues has not hung.

The thread never accesses the fold. It asks loops to call back, and each alarm is computed on its loop; the thread reads the text.

Code that holds the interpreter's lock also stops this thread. For that case each check arms `faulthandler`, whose own thread needs no lock:
after twice the patience without a check the process ends with exit code 1 and its stacks. A longer stop of the process also ends it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from typing import Final, NoReturn

STALLED: Final = 70
"""Exit code of a process that could not continue."""


def end(message: str, *, stacks: bool = False, code: int = STALLED) -> NoReturn:
    """End the process at once. Nothing needs a rollback, because uncommitted records are invisible."""
    sys.stderr.write(f"cueline worker: {message}\n")
    if stacks:
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class Watchdog(threading.Thread):
    """Asks each pulse to beat every `interval` seconds. A pulse that misses checks for `patience` seconds ends the process."""

    def __init__(self, patience: float, *, interval: float = 1.0, end: Callable[[str], None] | None = None) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._looks = max(2, round(patience / interval))
        self._interval = interval
        self._end: Callable[[str], None] = end or _end_with_stacks
        self._pulses: dict[str, _Pulse] = {}
        self._alarms: dict[str, _Alarm] = {}
        self._limit = 2 * patience if end is None else None
        self._over = threading.Event()

    def listen(self, name: str, ask: Callable[[Callable[[], None]], object]) -> None:
        """Watch a loop: `ask` makes it call back (`loop.call_soon_threadsafe`)."""
        self._pulses[name] = _Pulse(ask)

    def alarm(
        self, name: str, ask: Callable[[Callable[[], None]], object], problem: Callable[[], str | None], *, healthy: bool = True
    ) -> None:
        """Watch a condition that must not hold for `patience`. `ask` makes a loop call `problem` (`loop.call_soon_threadsafe`).

        Unless `healthy`, `problem` of this watchdog reports it after several checks.
        """
        self._alarms[name] = _Alarm(ask, problem, healthy=healthy)

    def problem(self) -> str | None:
        """Return the current problem: a loop that has not beaten for several checks, or an alarm that concerns health."""
        late = [name for name, pulse in self._pulses.items() if pulse.missed > 5]
        if late:
            return f"{', '.join(late)} does not answer"
        return next((alarm.found for alarm in self._alarms.values() if not alarm.healthy and alarm.raised > 5), None)

    def give(self, seconds: float, message: Callable[[], str], code: Callable[[], int]) -> None:
        """Give the process this many seconds to end by itself."""
        timer = threading.Timer(seconds, lambda: end(message(), code=code()))
        timer.daemon = True
        timer.start()

    def stop(self) -> None:
        self._over.set()

    def run(self) -> None:
        try:
            self._watch()
        finally:
            if self._limit is not None:
                faulthandler.cancel_dump_traceback_later()

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            if self._limit is not None:
                faulthandler.dump_traceback_later(self._limit, exit=True, file=sys.__stderr__ or sys.stderr)
            for name, pulse in self._pulses.items():
                if pulse.look() >= self._looks:
                    self._end(f"{name} has not answered for {self._looks * self._interval:.0f} s")
            for alarm in self._alarms.values():
                if alarm.look() >= self._looks:
                    self._end(f"{alarm.found} for {self._looks * self._interval:.0f} s")


class _Pulse:
    def __init__(self, ask: Callable[[Callable[[], None]], object]) -> None:
        self._ask = ask
        self._asked = False
        self.missed = 0

    def look(self) -> int:
        """Count the checks in a row without an answer."""
        if self._asked:
            self.missed += 1
        else:
            self.missed = 0
            self._asked = True
            try:
                self._ask(self._answer)
            except RuntimeError:  # the loop is closed: the process is ending
                self._asked = False
        return self.missed

    def _answer(self) -> None:
        self._asked = False


class _Alarm:
    def __init__(self, ask: Callable[[Callable[[], None]], object], problem: Callable[[], str | None], *, healthy: bool) -> None:
        self._ask, self._problem, self.healthy = ask, problem, healthy
        self._asked = False
        self.found: str | None = None
        self.raised = 0
        """Count the answers in a row with the problem."""

    def look(self) -> int:
        """Ask for another answer unless one is expected; return how many answers in a row were bad. A pulse reports a loop without
        answers.
        """
        if not self._asked:
            self._asked = True
            try:
                self._ask(self._answer)
            except RuntimeError:  # the loop is closed: the process is ending
                self._asked = False
        return self.raised

    def _answer(self) -> None:
        """Compute the problem; called on the loop."""
        found = self._problem()
        self.raised = self.raised + 1 if found else 0
        self.found = found
        self._asked = False


def _end_with_stacks(message: str) -> None:
    end(message, stacks=True)
