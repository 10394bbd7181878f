"""A watchdog ends what hangs, and leaves alone what was merely stopped."""

import ast
import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

from streams.worker import watchdog as module
from streams.worker.watchdog import Watchdog

HANGING = """
import asyncio, time
from streams.worker.watchdog import Watchdog

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
    watchdog.alarm("test", lambda answer: answer(), lambda: next(looks))
    watchdog.start()
    assert ended.wait(5)
    watchdog.stop()
    assert messages[0] == "stuck for 0 s"
    assert len(list(looks)) <= 100 - 5


LOCKED = """
import re
from streams.worker.watchdog import Watchdog

watchdog = Watchdog(0.5, interval=0.1)
watchdog.start()
import time
time.sleep(0.3)
print("alive", flush=True)
re.match(r"(a+)+b", "a" * 40)
"""


def test_a_process_that_holds_the_interpreters_lock_is_ended_too() -> None:
    """No thread of Python's can run then, so `faulthandler` has to end it."""
    found = subprocess.run([sys.executable, "-c", LOCKED], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1
    assert found.stdout == "alive\n"
    assert "Timeout" in found.stderr


def test_the_watchdogs_thread_is_disarmed_when_it_stops() -> None:
    script = "import time\nfrom streams.worker.watchdog import Watchdog\nw = Watchdog(0.3, interval=0.1)\nw.start()\ntime.sleep(0.3)\n"
    script += "w.stop()\nw.join()\ntime.sleep(1.5)\nprint('alive')\n"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stdout) == (0, "alive\n")


async def test_an_alarm_is_computed_on_its_loop_and_one_of_health_is_named() -> None:
    """A second thread in the fold loses timers."""
    threads: set[int] = set()

    def problem() -> str:
        threads.add(threading.get_ident())
        return "partition 3 does not open"

    watchdog = Watchdog(100.0, interval=0.01, end=lambda _: None)
    watchdog.alarm("opening", asyncio.get_running_loop().call_soon_threadsafe, problem, healthy=False)
    watchdog.start()
    async with asyncio.timeout(5):
        while watchdog.problem() is None:
            await asyncio.sleep(0.01)
    watchdog.stop()
    assert watchdog.problem() == "partition 3 does not open"
    assert threads == {threading.get_ident()}


def test_nothing_that_the_watchdogs_thread_reaches_calls_an_alarm_or_knows_the_fold() -> None:
    """Walk all calls from `Watchdog.run`: what is handed in (`_problem`, `_answer`) is passed on to loops and never called here."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    functions: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            functions.setdefault(node.name, []).append(node)
    reached, left = set(), ["run"]
    while left:
        name = left.pop()
        if name in reached:
            continue
        reached.add(name)
        for function in functions.get(name, []):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    called = node.func
                    left.append(called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else "?")
    assert {"_watch", "look", "_ask", "_end"} <= reached
    assert not reached & {"_problem", "_answer", "problem", "?"}
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node for node in imported if str(node.module).startswith(("streams", "triggers"))]


def test_the_worker_gives_the_watchdog_alarms_of_a_loop_only() -> None:
    tree = ast.parse((Path(module.__file__).parent / "app.py").read_text("utf-8"))
    alarms = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "alarm"]
    assert len(alarms) == 5
    assert all(isinstance(alarm.args[1], ast.Name) and alarm.args[1].id == "on_loop" for alarm in alarms)
