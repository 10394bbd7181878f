"""`python -m tests.crash --seeds 20`: run any number of crash tests, and write their table in docs/reliability.md.

Each run has a broker, topics and a folder of its own. The exit code is 1 if any run was not right.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Final

from streams.broker.kafka import VERSION, KafkaBroker, jars
from tests.cluster import ThreeNodes
from tests.crash.cluster import torture_cluster
from tests.crash.rig import Outcome, torture
from tests.crash.upgrade import torture_upgrade

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "reliability.md"
TABLES: Final = {
    1: ("crash table: written by `make crash`", "the crash table"),
    3: ("node table: written by `make crash-nodes`", "the node table"),
}
"""What the markers of the tables say, by the number of nodes."""
HEADINGS: Final = (
    "seed",
    "records in the log",
    "aborted",
    "actions",
    "decisions",
    "dead letters",
    "states",
    "faults",
    "ended by themselves",
    "missing",
    "extra",
    "repeated",
    "states differing",
    "storm, s",
    "quiet after, s",
)


def main(words: list[str]) -> int:
    """Run the seeds one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="how many runs")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--nodes", type=int, choices=(1, 3), default=1, help="1: the broker is killed; 3: one node of the cluster at a time"
    )
    parser.add_argument("--upgrade", action="store_true", help="an upgrade in the middle of each run; writes no table")
    parser.add_argument("--no-table", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args(words)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away now and then is the point
    folder = Path(tempfile.mkdtemp(prefix="cueline-crash-"))
    lib = jars(ROOT / ".cueline")
    print(f"all logs are kept in {folder}", flush=True)
    rows, failed = [], 0
    for seed in range(options.first, options.first + options.seeds):
        row, is_right = run(seed, folder / f"seed-{seed}", lib, options.nodes, upgrade=options.upgrade)
        failed += not is_right
        rows.append(row)
        print("  ".join(f"{name}: {cell}" for name, cell in zip(HEADINGS, row, strict=True)), flush=True)
    print(f"{options.seeds} runs, {failed} not right")
    if not options.no_table and not options.upgrade:
        write_table(rows, options.nodes)
    return int(failed > 0)


def run(seed: int, folder: Path, lib: Path, nodes: int, *, upgrade: bool) -> tuple[list[str], bool]:
    """One run; returns its row and whether it was right."""
    folder.mkdir(parents=True)
    try:
        if nodes == 1:
            with KafkaBroker(folder / "kafka", lib, heap="512m") as broker:
                outcome = asyncio.run((torture_upgrade if upgrade else torture)(broker, folder, seed))
        else:
            with ThreeNodes(folder, lib) as cluster:
                outcome = asyncio.run(torture_cluster(cluster, folder, seed))
    except Exception as error:  # noqa: BLE001 - one run that fails must not keep the others from being run
        traceback.print_exc()
        cells = [str(seed), *[""] * (len(HEADINGS) - 1)]
        cells[7] = f"did not end: {type(error).__name__}"
        return cells, False
    if not outcome.is_right:
        (folder / "verdict.txt").write_text(str(outcome.verdict))
        print(f"seed {seed} is not right; {folder}/verdict.txt:\n{outcome.verdict}", flush=True)
    return row_of(outcome), outcome.is_right


def row_of(outcome: Outcome) -> list[str]:
    """The cells of one run, in the order of the headings."""
    verdict, got = outcome.verdict, outcome.verdict.got
    traffic = outcome.traffic
    cells: list[object] = [
        outcome.seed,
        verdict.events,
        0 if traffic is None else traffic.aborted,
        len(got.actions),
        len(got.decisions),
        len(got.dead_letters),
        len(got.states),
        counted(outcome.faults),
        counted(outcome.ended) or "none",
        verdict.count("missing"),
        verdict.count("extra"),
        verdict.count("repeated"),
        verdict.count("differing"),
        f"{outcome.storm:.0f}",
        f"{outcome.quiet:.0f}",
    ]
    return [str(cell) for cell in cells]


def counted(counter: "Counter[str]") -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counter.items()))


def write_table(rows: list[list[str]], nodes: int) -> None:
    """Put the table between the markers of the page."""
    day = time.strftime("%Y-%m-%d")
    where = f"Apache Kafka {VERSION}" + (f", {nodes} nodes" if nodes > 1 else "")
    lines = [f"{len(rows)} runs on {where}, {day}.", ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in (HEADINGS, ["---"] * len(HEADINGS), *rows)]
    begin, end = f"<!-- {TABLES[nodes][0]}, do not edit -->", f"<!-- end of {TABLES[nodes][1]} -->"
    before, found, rest = PAGE.read_text("utf-8").partition(begin)
    assert found, f"the marker {begin} is not in {PAGE}"
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
