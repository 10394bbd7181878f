"""`tools/dev.py`, what `make` does: Ctrl-C leaves its child the time to tidy up, and stdout is the child's alone."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[3] / "tools" / "dev.py"

CHILD = """
import pathlib, time
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1.5)
    pathlib.Path(r"{done}").touch()
    raise SystemExit(7)
"""
PARENT = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
tool = runpy.run_path({tool!r})
tool["LINT"].update(style=[sys.executable, "-c", {child!r}], format=[sys.executable, "-c", "print('next')"])
tool["lint"].__globals__["install"] = lambda _: 0
sys.exit(tool["main"](["lint"]))
"""


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX signals")
def test_an_interrupt_is_waited_for_until_the_child_has_tidied_up(tmp_path: Path) -> None:
    """A terminal sends it to all of them at once. `subprocess.run` would kill the child a quarter of a second later."""
    done = tmp_path / "done"
    script = PARENT.format(tool=str(TOOL), child=CHILD.format(done=done))
    running = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stdout is not None
    assert any("at work" in line for line in iter(running.stdout.readline, ""))
    os.killpg(running.pid, signal.SIGINT)
    out, _ = running.communicate(timeout=20)
    assert (running.returncode, done.exists()) == (130, True)
    assert "next" not in out, "the steps that are left are not begun"


def test_the_exit_code_is_the_programs(tool: ModuleType) -> None:
    assert tool.run([sys.executable, "-c", "raise SystemExit(3)"]) == 3


def test_lanes_run_side_by_side_and_each_failure_counts(tool: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each waits for the other, so one after the other they would never end."""
    script = (
        "import sys, time, pathlib\nme, other = map(pathlib.Path, sys.argv[1:3])\nme.touch()\n"
        "while not other.exists():\n    time.sleep(0.01)\nprint(me.name)\nsys.exit(int(sys.argv[3]))"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")

    def lanes(code: str) -> dict[str, list[str]]:
        return {"one": [sys.executable, "-c", script, a, b, "0"], "two": [sys.executable, "-c", script, b, a, code]}

    assert tool.run_all({}, lanes("0")) == 0
    assert tool.run_all({}, lanes("3")) == 1
    out = capfd.readouterr().out
    assert out.index("---- one") < out.index("---- two\nb\n") < out.index("ok      one")
    assert "FAILED  two" in out


def test_what_is_told_of_an_installation_stands_on_stderr(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """So `make demo ARGS=--json` prints one JSON object on stdout, the first time as well."""
    monkeypatch.setattr(tool, "VENV", tmp_path)
    monkeypatch.setattr(tool, "PYTHON", tmp_path / "python")
    ran: list[list[str]] = []

    really = tool.run

    def run(command: list[str], **how: object) -> int:
        ran.append(command)
        return int(really([sys.executable, "-c", "print('pip speaks')"], **how))

    monkeypatch.setattr(tool, "run", run)
    assert tool.install("demo") == 0
    out, err = capfd.readouterr()
    assert (len(ran), out) == (2, "")
    assert f"installing into {tmp_path}" in err
    assert err.count("pip speaks") == 2


def test_an_installation_shows_how_far_it_is_and_every_error(tool: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """In place of a minute of silence; what pip says of each package is not all shown."""
    said = """Obtaining file:///cueline
  Installing build dependencies: started
Collecting faust-streaming==0.15.3 (from cueline==0.1.0)
  Downloading https://example.org/faust_streaming-0.15.3-py3-none-any.whl (1 kB)
Collecting aiohttp~=3.14
Installing collected packages: a, b, c
ERROR: no room
Successfully installed a-1 b-2 c-3
"""
    progress = tool.Progress(every=0.0)
    assert tool.run([sys.executable, "-c", f"print({said!r}, end='')"], on_line=progress) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert [line.partition(" s  ")[2] or line for line in err.splitlines()] == [
        "looking at this project ...",
        "package 1: faust-streaming==0.15.3",
        "downloading faust_streaming-0.15.3-py3-none-any.whl (1 kB)",
        "package 2: aiohttp~=3.14",
        "unpacking 3 packages ...",
        "ERROR: no room",
        "3 packages installed",
    ]
