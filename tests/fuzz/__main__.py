"""`python -m tests.fuzz --minutes 30`: feed foreign input to every parser, for the given time, and write its table in docs/reliability.md.

Each target gets an equal share of the time, in rounds of a few hundred examples with a seed each. A fault is shrunk by hypothesis and
printed with its seed: `--seed S --only TARGET` gives it again. An example that takes more than `SLOW` seconds of CPU is a fault; one that
takes `HANGS` seconds of wall time ends the process with all stacks. The process may not have more than `MEMORY` bytes.

The exit code is 1 if any target failed.
"""

import argparse
import faulthandler
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import TARGETS, Target

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- fuzz table: written by `make fuzz`, do not edit -->"
END: Final = "<!-- end of the fuzz table -->"
HEADINGS: Final = ("input", "examples", "slowest, ms of CPU", "memory after it, MB", "failures")

EXAMPLES: Final = 200
"""Of one round."""
SLOW: Final = 5.0
"""Most CPU seconds of one example; the usual one takes some milliseconds."""
HANGS: Final = 120.0
"""Maximum seconds of one example."""
MEMORY: Final = 3 * 1024**3
"""Most bytes of address space."""


@dataclass
class Tally:
    """What came of one target."""

    examples: int = 0
    slowest: float = 0.0
    failures: int = 0


class TooSlowError(AssertionError):
    """An example took more than `SLOW` seconds of CPU."""


def main(words: list[str]) -> int:
    """Run the targets one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long, all targets together")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first seed; by default another each time")
    parser.add_argument("--only", choices=sorted(TARGETS), help="one target alone")
    parser.add_argument("--no-table", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args(words)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    chosen = {name: target for name, target in TARGETS.items() if options.only in (None, name)}
    rows, failed = [], 0
    for name, target in chosen.items():
        tally = fuzz(name, target, options.seed, 60.0 * options.minutes / len(chosen))
        failed += tally.failures
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        rows.append([name, f"{tally.examples:,}", f"{tally.slowest * 1000:,.0f}", str(peak), str(tally.failures)])
        print("  ".join(f"{heading}: {cell}" for heading, cell in zip(HEADINGS, rows[-1], strict=True)), flush=True)
    if not options.no_table:
        write_table(rows, options.minutes, options.seed)
    return int(failed > 0)


def fuzz(name: str, target: Target, first: int, seconds: float) -> Tally:
    """Run rounds of one target until its time is over or it has failed."""
    tally = Tally()
    end = time.monotonic() + seconds
    number = first
    while tally.failures == 0 and (tally.examples == 0 or time.monotonic() < end):
        try:
            one_round(target, number, tally, end)
        except Exception:  # noqa: BLE001 - a fault of one target must not keep the others from being run
            tally.failures += 1
            print(f"{name}, seed {number}:", flush=True)
            traceback.print_exc()
        number += 1
    return tally


def one_round(target: Target, number: int, tally: Tally, end: float) -> None:
    """Run some hundred examples of one seed; those after the end of its time are left out."""

    def check(value: Any) -> None:
        if tally.examples and time.monotonic() > end:
            return
        tally.examples += 1
        tally.slowest = max(tally.slowest, timed(target.check, value))

    run = settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(seed(number)(given(target.inputs)(check)))
    run()


def timed(check: Callable[[Any], None], value: Any) -> float:
    """Run one example; returns its CPU seconds. Raises `TooSlowError`."""
    faulthandler.dump_traceback_later(HANGS, exit=True)
    began = time.process_time()
    try:
        check(value)
    finally:
        faulthandler.cancel_dump_traceback_later()
    took = time.process_time() - began
    if took > SLOW:
        raise TooSlowError(f"one example took {took:.1f} s of CPU")
    return took


def write_table(rows: list[list[str]], minutes: float, first: int) -> None:
    """Put the table between the markers of the page."""
    lines = [f"`make fuzz MINUTES={minutes:g}`, {time.strftime('%Y-%m-%d')}, first seed {first}.", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in (HEADINGS, ["---", *["---:"] * (len(HEADINGS) - 1)], *rows)]
    before, found, rest = PAGE.read_text("utf-8").partition(BEGIN)
    assert found, f"the markers of the fuzz table are not in {PAGE}"
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
