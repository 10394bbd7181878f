"""The targets of `make`, for every system: Windows has no make, so the logic is here, with the standard library alone.

python tools/dev.py COMMAND [OPTIONS]

  demo [--broker kafka] ...   the demo, on an embedded broker or on real Apache Kafka (needs java and mvn)
  test [PYTEST OPTIONS]       style, types, prose and all tests; also on real Kafka where java and mvn are found or CUELINE_BROKER is set
  lint                        style, types and prose only
  crash [--seeds N]           kill, stop and restart workers and broker on real Kafka; N runs with different seeds
  fuzz [--minutes N]          foreign input for every parser: records, batches, rule files, texts, states, files, settings
  bench                       measure on real Kafka; the result is also in bench/results/latest.json
  wheel                       a wheel with the compiled engine, into dist/ (needs a C compiler; docs/operating.md)
  install                     create .venv with everything that the commands above need
  clean                       remove .venv and the leftovers of tools

Everything is installed into .venv in this project (or into the folder that VENV names); nothing is installed elsewhere.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VENV") or ROOT / ".venv").resolve()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
CUELINE = BIN / ("cueline.exe" if os.name == "nt" else "cueline")
LEAST, BELOW = (3, 11), (3, 15)
PACKAGES = {"demo": 50, "dev": 65}
"""Approximate number of packages, by extra."""
LEFT_BEHIND = (".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".cueline", "dist", "build")


def main(words: list[str]) -> int:
    """Run one command; return the exit code."""
    command, rest = (words[0], words[1:]) if words else ("help", [])
    commands = {"demo": demo, "test": test, "lint": lint, "crash": crash, "fuzz": fuzz, "bench": bench, "wheel": wheel}
    commands |= {"install": install_all, "clean": clean}
    if command in {"help", "-h", "--help"}:
        say(__doc__.strip())
        return 0
    if command not in commands:
        aside(f"there is no command {command}; python tools/dev.py help")
        return 2
    try:
        return commands[command](rest)
    except KeyboardInterrupt:
        return 130


def demo(words: list[str]) -> int:
    """Show the demo."""
    return install("demo") or run([str(CUELINE), "demo", *words])


def test(words: list[str]) -> int:
    """Check everything. Continue after a failure, so that one run shows all failures."""
    failed = install("dev")
    if failed:
        return failed
    say_whether_kafka_is_here()
    pytest = [str(PYTHON), "-m", "pytest"]
    if any(not word.startswith("-") or word.startswith(SELECTING) for word in words):
        return run_all({**LINT, "tests": [*pytest, *words]})
    return run_all(LINT | {"Kafka": FETCH}, {name: [*pytest, *words, *folders] for name, folders in LANES.items()})


def lint(_: list[str]) -> int:
    """Check style, types and prose."""
    return install("dev") or run_all(LINT)


def crash(words: list[str]) -> int:
    """Run the crash tests."""
    return install("dev") or run([str(PYTHON), "-m", "tests.crash", *words])


def fuzz(words: list[str]) -> int:
    """Feed damaged input to every parser."""
    return install("dev") or run([str(PYTHON), "-m", "tests.fuzz", *words])


def bench(words: list[str]) -> int:
    """Measure."""
    return install("dev") or run([str(PYTHON), "-m", "bench", *words])


def wheel(_: list[str]) -> int:
    """Build the wheel with the compiled engine."""
    return install("dev") or run([str(PYTHON), "tools/compiled.py", "wheel"])


def install_all(_: list[str]) -> int:
    """Install everything."""
    return install("dev")


def clean(_: list[str]) -> int:
    """Remove everything that can be created again."""
    for path in [VENV, *(ROOT / name for name in LEFT_BEHIND), *ROOT.rglob("__pycache__")]:
        shutil.rmtree(path, ignore_errors=True)
    return 0


LANES = {"tests with brokers": ["tests/crash", "tests/integration"], "tests without": ["tests"]}
LANES["tests without"] += [f"--ignore={folder}" for folder in LANES["tests with brokers"]]
"""Tests that run side by side: those with brokers wait most of the time, the others keep a core busy."""
SELECTING = ("-k", "-m", "--lf", "--last-failed", "--ff", "--sw", "--stepwise", "--pdb")
"""Options that want one run, not two."""
FETCH = [
    str(PYTHON),
    "-c",
    "from pathlib import Path; from streams.broker.kafka import jars, missing; cache = Path('.cueline'); missing(cache) or jars(cache)",
]
LINT = {
    "style": [str(PYTHON), "-m", "ruff", "check"],
    "format": [str(PYTHON), "-m", "ruff", "format", "--check", "--quiet"],
    "types": [str(PYTHON), "-m", "mypy"],
    "prose": [str(PYTHON), "tools/prose.py"],
}

# ---- the environment ---------------------------------------------------------------------------------------------------


def install(extra: str) -> int:
    """Create the environment, or leave it if nothing has changed; return pip's exit code."""
    if not LEAST <= sys.version_info[:2] < BELOW:
        aside(f"Cueline needs Python 3.11 to 3.14, this is {sys.version.split()[0]}; for example: make PYTHON=python3.12 test")
        return 1
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes() + sys.version.encode()).hexdigest()
    done = VENV / f".cueline-{extra}"
    # `dev` contains `demo`.
    if any(stamp.is_file() and stamp.read_text() == wanted for stamp in (done, VENV / ".cueline-dev")) and PYTHON.exists():
        return 0
    aside(f"installing into {VENV}: about {PACKAGES[extra]} packages, a minute or two the first time ...")
    if not PYTHON.exists() and run([sys.executable, "-m", "venv", str(VENV)], out=sys.stderr):
        aside("this Python cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv")
        return 1
    pip = [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check", "-e", f".[{extra}]"]
    failed = run(pip, out=sys.stderr, on_line=Progress())
    if not failed:
        done.write_text(wanted)
    return failed


class Progress:
    """Shows pip's progress on stderr: one line that changes on a terminal, elsewhere a line every few seconds."""

    def __init__(self, every: float = 3.0) -> None:
        self._every = 0.0 if sys.stderr.isatty() else every
        self._begun = self._shown = time.monotonic()
        self._packages = 0

    def __call__(self, line: str) -> None:
        """Handle one line of pip's output. Skip most of them, but no error."""
        word, _, rest = line.strip().partition(" ")
        if word == "Collecting":
            self._packages += 1
            self._show(f"package {self._packages}: {rest.split(' ')[0]}")
        elif word == "Downloading":
            self._show(f"downloading {rest.rsplit('/', 1)[-1]}")
        elif line.endswith("build dependencies: started\n"):
            self._show("looking at this project ...", now=True)
        elif line.startswith("Installing collected packages"):
            self._show(f"unpacking {line.count(',') + 1} packages ...", now=True)
        elif line.startswith("Successfully installed"):
            self._show(f"{len(rest.split()) - 1} packages installed", now=True)
            if sys.stderr.isatty():
                aside("")
        elif word in {"ERROR:", "WARNING:"} or not line.startswith((" ", *PIP_SAYS)):
            aside(line.rstrip())

    def _show(self, text: str, *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and moment - self._shown < self._every:
            return
        self._shown = moment
        text = f"  {moment - self._begun:3.0f} s  {text}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
        else:
            aside(text)


PIP_SAYS = ("Obtaining", "Requirement", "Using cached", "Building", "Created", "Attempting", "Found existing", "Uninstalling", "Looking in")
"""Beginnings of pip's lines that are not interesting without a failure."""


def say_whether_kafka_is_here() -> None:
    """Say before the run whether it includes real Kafka. The last line of the tests says whether it did."""
    needed = ("java",) if any((ROOT / ".cueline").glob("kafka-*")) else ("java", "mvn")
    lacking = [program for program in needed if shutil.which(program) is None]
    if os.environ.get("CUELINE_BROKER"):
        say(f"real Kafka: the one at {os.environ['CUELINE_BROKER']} (CUELINE_BROKER)")
    elif lacking:
        say(f"real Kafka: SKIPPED, {' and '.join(lacking)} not found (install them, or point CUELINE_BROKER at a running Kafka)")
    else:
        say("real Kafka: Apache Kafka from Maven's jars, fetched once into .cueline/")


# ---- running things -----------------------------------------------------------------------------------------------------


def run_all(steps: dict[str, list[str]], lanes: dict[str, list[str]] | None = None) -> int:
    """Run every step, then the lanes in parallel, and print a summary. The output of all lanes but the first is printed when they end."""
    lines: list[str] = []
    failed = False

    def note(name: str, code: int, seconds: float) -> None:
        nonlocal failed
        failed = failed or code != 0
        lines.append(f"{'ok    ' if code == 0 else 'FAILED'}  {name} ({seconds:.0f} s)")

    for name, command in steps.items():
        say(f"---- {name}")
        began = time.monotonic()
        note(name, run(command), time.monotonic() - began)
    if lanes:
        first, *others = lanes.items()
        with ThreadPoolExecutor(max(len(others), 1)) as pool:
            began = time.monotonic()
            parallel = [(name, pool.submit(captured, command)) for name, command in others]
            say(f"---- {first[0]}")
            note(first[0], run(first[1]), time.monotonic() - began)
            for name, running in parallel:
                code, seconds, printed = running.result()
                say(f"---- {name}\n{printed}")
                note(name, code, seconds)
    say("----\n" + "\n".join(lines))
    return int(failed)


def captured(command: list[str]) -> tuple[int, float, str]:
    """Run one program without printing its output. Return its exit code, its seconds, and its output."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode, time.monotonic() - began, done.stdout.rstrip()


def run(command: list[str], out: TextIO | None = None, on_line: Callable[[str], None] | None = None) -> int:
    """Run one program in the project's folder. Its output goes to `out` (default stdout), or line by line to `on_line`.

    The terminal sends Ctrl-C to the program, too. It may take its time to clean up, for which `subprocess.run` has no patience; we end
    after it.
    """
    interrupts: list[int] = []
    # Only we ignore it: a child begins with the default handler.
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        if on_line is None:
            code = subprocess.Popen(command, cwd=ROOT, stdout=out).wait()
        else:
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as program:
                assert program.stdout is not None
                for line in program.stdout:
                    on_line(line)
            code = program.returncode
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt
    return code


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def aside(text: str) -> None:
    """Print a remark. It goes to stderr, because stdout may go to a program, as with `make demo ARGS=--json`."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
