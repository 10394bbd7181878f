"""The demo: every order of CDNOW through the live pipeline, exactly the independent answer, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from streams.broker import Broker
from streams.broker.embedded import REQUIREMENT
from streams.ingest import cdnow

ROOT: Final = Path(__file__).parent.parent.parent
CACHE: Final = ROOT / ".cueline"
SHARED: Final = ROOT.parent / "shared" / "data"

Start = Callable[..., "subprocess.Popen[str]"]


def data_of(part: cdnow.Part) -> Path:
    """The file of orders: the one next to the project if it exists, otherwise the one in the wheel."""
    shared = SHARED / cdnow.FILES[part]
    if shared.is_file():
        return shared
    path = CACHE / cdnow.FILES[part]
    if not path.is_file():
        try:
            lines = cdnow.lines(part, cache=CACHE)
        except cdnow.NoData as error:
            pytest.skip(f"the orders cannot be had: {error}")
        path.write_text("\n".join(lines) + "\n", "ascii")
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the demo; everything that it makes is below a folder of this test's, so that what it leaves behind can be found."""
    started: list[subprocess.Popen[str]] = []

    def go(*words: str, **how: Any) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}
        environment = {**clean, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "TEMP": str(tmp_path), "CUELINE_BOOTSTRAP": "nowhere:1"}
        command = [sys.executable, "-m", "streams.cli.main", "demo", *words]
        demo = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        started.append(demo)
        return demo

    yield go
    for demo in started:
        if demo.poll() is None:
            demo.kill()
        demo.communicate()


def left_behind(folder: Path) -> list[str]:
    """Processes that have to do with this folder, and what is left in it."""
    words = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    places = [os.fsencode(str(link.readlink())) for link in Path("/proc").glob("[0-9]*/cwd") if _is_readable(link)]
    running = [text.decode("utf-8", "replace") for text in [*words, *places] if os.fsencode(str(folder)) in text]
    return running + [path.name for path in folder.glob("cueline-demo-*")]


def _is_readable(link: Path) -> bool:
    try:
        link.readlink()
    except OSError:
        return False
    return True


def nothing_is_left(folder: Path) -> None:
    if not Path("/proc/self/cmdline").exists():
        return
    deadline = time.monotonic() + 10
    while left := left_behind(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def wait_for(stream: Any, text: str) -> None:
    for line in stream:
        if text in line:
            return
    pytest.fail(f"the demo ended without saying {text!r}")


def test_the_sample_goes_through_the_embedded_broker_exactly(start: Start, tmp_path: Path) -> None:
    out, err = start("--json", "--data", str(data_of("sample"))).communicate(timeout=150)
    summary = json.loads(out)
    assert (summary["missing"], summary["extra"], summary["dead_letters"]) == (0, 0, 0), err
    assert (summary["events"], summary["customers"], summary["workers"]) == (6_919, 2_357, 1)
    assert summary["actions"] == summary["expected"] == {"total": 4_894, "gold": 656, "welcome": 2_357, "win-back": 1_881}
    assert [person["user"] for person in summary["people"]] == ["00018", "00004", "00314"]
    assert summary["opening_seconds"] > 0
    nothing_is_left(tmp_path)


def test_whoever_looks_on_sees_three_people_and_why_they_got_their_messages(start: Start) -> None:
    out, err = start("--data", str(data_of("sample"))).communicate(timeout=150)
    assert (
        """
  customer 00018
    1997-01-04  buys 1 CD for $14.96
    1997-01-07  gets "Welcome" by email
                  because welcome began with the order of 1997-01-04, and waited until 1997-01-07

  customer 00004
    1997-01-01  buys 2 CDs for $29.33
"""
        in out
    ), err
    assert (
        """
    1997-01-18  buys 2 CDs for $29.73
    1997-01-18  gets nothing by welcome: re-entry: never
    1997-03-19  gets "We miss you" by email
                  because win-back began: count("Order Completed") = 2, did("Order Completed", days=60) = false, last("Order \
Completed") = 1997-01-18
"""
        in out
    )


def test_without_the_extra_the_broker_comes_by_pip_and_where_it_cannot_the_remedy_is_named(tmp_path: Path) -> None:
    """As after `pip install .` alone: `noida_db` is hidden, and pip gets an index that does not exist."""
    script = "import sys; sys.modules['noida_db'] = None; from streams.cli.main import main; sys.exit(main())"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CUELINE_", "PIP_"))}
    environment = {**clean, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    words = [sys.executable, "-c", script, "demo", "--data", str(data_of("sample"))]
    run = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 1
    assert "the embedded broker cannot be fetched" in run.stderr
    assert f"pip install {REQUIREMENT}" in run.stderr
    assert "Traceback" not in run.stderr
    nothing_is_left(tmp_path)


@pytest.mark.timeout(400)
def test_all_orders_go_through_real_kafka_exactly(kafka: Broker, start: Start, tmp_path: Path) -> None:
    out, err = start("--json", "--broker", kafka.bootstrap, "--data", str(data_of("master"))).communicate(timeout=360)
    summary = json.loads(out)
    assert (summary["missing"], summary["extra"], summary["dead_letters"]) == (0, 0, 0), err
    assert (summary["events"], summary["customers"], summary["workers"]) == (69_659, 23_570, 2)
    assert summary["actions"] == summary["expected"] == {"total": 49_552, "gold": 6_624, "welcome": 23_570, "win-back": 19_358}
    nothing_is_left(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_whatever_ends_it_nothing_is_left_running(start: Start, tmp_path: Path, number: signal.Signals, code: int) -> None:
    demo = start("--data", str(data_of("sample")), start_new_session=True)
    wait_for(demo.stdout, "all partitions are open")
    time.sleep(0.5)  # anywhere in the feed
    demo.send_signal(number)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == code, err
    assert "Traceback" not in err
    if number == signal.SIGKILL:
        for folder in tmp_path.glob("cueline-demo-*"):  # who is killed cannot tidy up
            folder.rename(tmp_path / "killed")
    nothing_is_left(tmp_path)


def test_a_broker_that_does_not_answer_is_code_69_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    demo = start("--broker", "127.0.0.1:1", "--data", str(data_of("sample")))
    _, err = demo.communicate(timeout=60)
    assert (demo.returncode, "no broker can be reached (127.0.0.1:1" in err) == (69, True), err
    nothing_is_left(tmp_path)


def test_a_file_that_holds_no_orders_is_named(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "orders.txt"
    path.write_text("no orders\n")
    demo = start("--data", str(path))
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert ":1: not an order of CDNOW" in err
    nothing_is_left(tmp_path)
