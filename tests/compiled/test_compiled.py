"""The compiled engine is the same engine: it passes the same tests, and makes the same bytes of the same log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.compiled import CannotCompile, compiled, missing

ROOT = Path(__file__).parents[2]
DIGEST = """
import sys
from hashlib import sha256
from itertools import islice
from bench.load import RULES
from bench.stream import START, stream
from triggers.engine import partition as module
from triggers.base.model import LogRecord, Place
from triggers.engine.driver import Engine
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import opening
from triggers.rules.checks import load
from triggers.state.table import Table

rules = load(RULES)
log = opening(rules.hash, START) + [LogRecord(n, e.at, e.key, e.value) for n, e in enumerate(stream(int(sys.argv[1])), 2)]
engine, found = Engine(Partition(Place("events", 0), Table(), Library([rules]))), sha256()
for at in range(0, len(log), 700):
    engine.fold(log[at : at + 700])
    engine.settle()
    for outs in engine.take()[:4]:
        for key, value, headers in outs:
            found.update(repr((key, value, list(headers))).encode())
print(module.__file__.endswith(".py"), sum(engine.partition.counts.values()), found.hexdigest())
"""


@pytest.fixture(scope="module")
def engine() -> Path:
    """The folder of the compiled engine."""
    lacking = missing()
    if lacking is not None:
        pytest.skip(f"the engine cannot be compiled here: {lacking}")
    try:
        return compiled()
    except CannotCompile as problem:
        pytest.fail(str(problem))


def environment(*folders: Path) -> dict[str, str]:
    """Our own, with these folders before all others; that real Kafka must have its part is asked of the tests around these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join(map(str, folders))}


@pytest.mark.timeout(600)
def test_it_makes_the_same_bytes_of_the_same_log(engine: Path, tmp_path: Path) -> None:
    said = []
    for folders in ((ROOT,), (engine, ROOT)):
        words = [sys.executable, "-c", DIGEST, "60000"]
        run = subprocess.run(words, env=environment(*folders), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        said.append(run.stdout.split())
    (plain, *of_plain), (is_plain, *of_compiled) = said
    assert (plain, is_plain) == ("True", "False")
    assert of_plain == of_compiled
    assert int(of_plain[0]) > 10_000


def of_the_engine() -> list[str]:
    """The tests that need nothing of `streams`, but for those that measure how long a scan takes: these hold for sources as they are."""
    files = [path for name in ("unit", "property", "reference", "recorded") for path in sorted((ROOT / "tests" / name).rglob("test_*.py"))]
    kept = [path for path in files if "scans" not in path.name and path.parent.name != "house"]
    return [str(path) for path in kept if "from streams" not in path.read_text("utf-8")]


@pytest.mark.timeout(900)
def test_it_passes_the_tests_of_the_engine(engine: Path, tmp_path: Path) -> None:
    tests = of_the_engine()
    assert len(tests) > 30
    words = [*tests, "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={engine} {ROOT}", f"--rootdir={ROOT}"]
    program = (
        "import pytest, sys, triggers.engine.partition as fold\n"
        "assert not fold.__file__.endswith('.py'), fold.__file__\n"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    fewer = {**environment(engine, ROOT), "CUELINE_EXAMPLES": "60"}
    run = subprocess.run([sys.executable, "-c", program, *words], env=fewer, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-8_000:] + run.stderr[-2_000:]
