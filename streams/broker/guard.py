"""A process that must not outlive the one that started it, on every system.

Linux alone could tell a child of its parent's death, and a parent that is killed can tidy up nothing. So the child is started by this
file, run as a small script in between: it ends the child when told to, and also when its own standard input closes, which is what
every system does to a dead process's pipes.

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
"""Seconds that a child may take to stop in good order before it is killed."""


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
        """The process id of the guard, the parent of the child."""
        return self._guard.pid

    def ended(self) -> int | None:
        """Tell the child's exit code, or None while it runs."""
        return self._guard.poll()

    def stop(self) -> None:
        """Let the child end in good order (a signal to terminate; on Windows there is no such thing) and wait for it."""
        self._tell(b"stop\n")

    def kill(self) -> None:
        """End the child at once and wait for it."""
        self._tell(b"kill\n")

    def _tell(self, word: bytes) -> None:
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
    """Run the child until it ends or the parent says so (or is gone)."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_listen, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _listen(child: "subprocess.Popen[bytes]") -> None:
    if os.read(0, 4) == b"stop":  # unbuffered: a thread waiting inside sys.stdin's lock would hold up this process's own end
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
