"""A process that must not outlive the one that started it, on every system.

Only Linux can notify a child when its parent dies, and a killed parent cannot clean up. So this file, run as a small script, starts
the child. It ends the child on request, and when its own standard input closes, because every system closes the pipes of a dead process.

    parent ──"stop" | "kill" | end of file──▶ guard ──signals──▶ child
"""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

PATIENCE = 30
"""Seconds that a child may take to stop cleanly before it is killed."""


class Guarded:
    """A running child: `command` with its output appended to the file `log`."""

    def __init__(self, command: list[str], log: Path, cwd: Path) -> None:
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", __file__, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=cwd,
                # Ctrl-C at the terminal is for the parent: workers still need the broker while they leave.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )

    @property
    def pid(self) -> int:
        """Return the process id of the guard, the parent of the child."""
        return self._guard.pid

    def ended(self) -> int | None:
        """Return the child's exit code, or None while it runs."""
        return self._guard.poll()

    def stop(self) -> None:
        """Stop the child cleanly (a termination signal; Windows has none) and wait for it."""
        self._send(b"stop\n")

    def kill(self) -> None:
        """Kill the child and wait for it."""
        self._send(b"kill\n")

    def _send(self, word: bytes) -> None:
        with contextlib.suppress(OSError):  # it may have ended by itself
            _pipe(self._guard).write(word)
            _pipe(self._guard).flush()
        self._guard.wait(PATIENCE + 10)
        with contextlib.suppress(OSError):
            _pipe(self._guard).close()


def _pipe(process: "subprocess.Popen[bytes]") -> "IO[bytes]":
    assert process.stdin is not None
    return process.stdin


def main(command: list[str]) -> int:
    """Run the child until it ends, the parent asks to end it, or the parent dies."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_listen, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _listen(child: "subprocess.Popen[bytes]") -> None:
    if os.read(0, 4) == b"stop":  # unbuffered: a thread that waits inside the lock of sys.stdin would delay the end of this process
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
