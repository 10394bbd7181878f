"""A watchdog ends what hangs, and leaves alone what was merely stopped."""

import asyncio
import subprocess
import sys
import threading
import time

from streams.watchdog import Watchdog

HANGING = """
import asyncio, time
from streams.watchdog import Watchdog

async def main() -> None:
    watchdog = Watchdog(0.4, interval=0.1)
    watchdog.listen("the main loop", asyncio.get_running_loop().call_soon_threadsafe)
    watchdog.start()
    await asyncio.sleep(0.5)
    print("alive", flush=True)
    time.sleep(30)

asyncio.run(main())
"""


def test_a_process_whose_loop_hangs_is_ended_and_its_stacks_are_shown() -> None:
    begun = time.monotonic()
    found = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, check=False, timeout=20)
    assert time.monotonic() - begun < 10
    assert found.returncode == 70
    assert found.stdout == "alive\n"
    assert "the main loop has not answered for 0 s" in found.stderr
    assert "in main" in found.stderr


async def test_a_loop_that_turns_is_left_alone_and_one_that_is_slow_is_named() -> None:
    ended: list[str] = []
    watchdog = Watchdog(2.0, interval=0.02, end=ended.append)
    loop = asyncio.get_running_loop()
    slow: list[object] = []
    watchdog.listen("a good one", loop.call_soon_threadsafe)
    watchdog.listen("a slow one", slow.append)
    watchdog.start()
    await asyncio.sleep(0.5)
    assert watchdog.problem() == "a slow one does not answer"
    assert not ended
    watchdog.stop()


def test_a_condition_must_hold_for_the_whole_patience() -> None:
    ended, looks = threading.Event(), iter(["stuck", None, *["stuck"] * 100])
    messages: list[str] = []

    def end(message: str) -> None:
        messages.append(message)
        ended.set()

    watchdog = Watchdog(0.05, interval=0.01, end=end)
    watchdog.alarm("test", lambda: next(looks))
    watchdog.start()
    assert ended.wait(5)
    watchdog.stop()
    assert messages[0] == "stuck for 0 s"
    assert len(list(looks)) <= 100 - 5
