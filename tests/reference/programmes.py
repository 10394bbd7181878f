"""The ten programmes of `examples/reading-app` over simulated people: the engine decides what the reference decides.

    python -m tests.reference.programmes --people 300 --seed 2

Each person has a log of their own, from `examples/simulate.py`. It is compared as it is, and again with commands in it: the rules change
and change back, journeys are paused, messages are suppressed, the person enters a journey by hand and is erased.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.reference.calls import entries
from tests.reference.compared import check
from tests.reference.days import DAY, HOUR
from tests.reference.interpreter import interpret
from triggers import RuleSet, Story, load_rules, read_folder
from triggers.base.model import LogRecord

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
CHANGES: Final = (
    ("one-push: {most: 1", "one-push: {most: 2"),
    ("five-a-week: {most: 5, per: 7d}", "five-a-week: {most: 3, per: 7d}"),
    ("keep: 60d", "keep: 20d"),
    ("holdout: 10%", "holdout: 60%"),
    ("days=14) >= 5", "days=10) >= 3"),
    ("wait: 30m", "wait: 2h"),
    ('to: "08:00"', 'to: "09:30"'),
    ("days=60) >= 20", "days=60) >= 12"),
    ('at: "18:00", on: [thursday, friday]', 'at: "17:00"'),
    ('[saturday]}\n      - send: {channel: push, text: "Half the price', '[sunday]}\n      - send: {channel: push, text: "Half the price'),
    ("wait: 5d", "wait: 3d"),
    ('offset: -1d, at: "19:30"', 'offset: -2d, at: "18:00"'),
    ("timeout: 4d", "timeout: 2d"),
)
"""What the second rule set has otherwise."""


def simulate() -> Any:
    """Load `examples/simulate.py`."""
    if "simulate" in sys.modules:
        return sys.modules["simulate"]
    spec = spec_from_file_location("simulate", EXAMPLES / "simulate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["simulate"] = module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def folders() -> tuple[dict[str, str], dict[str, str]]:
    """Return the ten, and the ten with some changes."""
    first = read_folder(EXAMPLES / "reading-app")
    second = dict(first)
    for old, new in CHANGES:
        assert any(old in text for text in second.values()), old
        second = {name: text.replace(old, new) for name, text in second.items()}
    return dict(first), second


def lived(first: RuleSet, seed: int, skip: int = 0) -> Iterator[list[LogRecord]]:
    """Yield the log of each person of a seed, without an end."""
    app = simulate()
    for person in islice(app.people(1_000_000, seed), skip, None):
        yield app.Life(person, first, seed).run().log


def begin() -> int:
    """Return the moment of the first command, ms."""
    app = simulate()
    return int(app._ms(app.datetime.combine(app.FIRST, app.time(), app.UTC))) - DAY


def story(first: RuleSet, log: list[LogRecord], second: RuleSet | None = None) -> Story:
    """Write a person's log; with a second rule set also commands, at moments that the person's id gives."""
    made = Story(first, start=begin())
    user = (log[0].key or b"").decode()
    commands = [] if second is None else _commands(made, user, first, second)
    last = begin() + 130 * DAY
    for record in log:
        while commands and commands[0][0] <= record.timestamp:
            _, give, arguments = commands.pop(0)
            give(*arguments)
        made.record(record.key, record.value, record.timestamp)
    for _, give, arguments in commands:
        give(*arguments)
    made.until(last)
    return made


def _commands(made: Story, user: str, first: RuleSet, second: RuleSet) -> list[Any]:
    random = Random(user)
    journey = random.choice(sorted(first.journeys))
    channel = random.choice((None, "push", "email"))

    def suppress(at: int) -> None:
        made.suppress(user, at, channel=channel)

    def unsuppress(at: int) -> None:
        made.unsuppress(user, at, channel=random.choice((None, channel)))

    wanted = (
        (20, made.pause, ("win-back",)), (25, made.pause, (journey,)), (29, made.resume, (journey,)), (33, made.apply, (second,)),
        (40, made.resume, ("win-back",)), (48, made.enter, (user, "promotion")), (52, suppress, ()), (60, unsuppress, ()),
        (66, made.pause, ("digest",)), (75, made.resume, ("digest",)), (80, made.apply, (first,)), (84, made.enter, (user, "trial")),
        (95, made.erase, (user,)), (97, made.enter, (user, "birthday")),
    )  # fmt: skip
    moments = [begin() + day * DAY + random.randrange(2 * DAY // HOUR) * HOUR // 2 for day, _, _ in wanted]
    return sorted((at, give, (*arguments, at)) for at, (_, give, arguments) in zip(moments, wanted, strict=True))


def compare(told: Story, rule_sets: list[RuleSet]) -> Counter[str]:
    """Raises AssertionError with both sides where they differ. Returns how often each kind of decision was made."""
    decisions, actions = told.decisions(), told.actions()
    assert told.dead_letters() == []
    check(interpret({rules.hash: rules for rules in rule_sets}, entries(told.log)), decisions, actions)
    return Counter(f"{one['kind']} {one['journey'] or ''}".strip() for one in decisions)


def main(words: list[str]) -> int:
    """Compare any number of people, and print what they were decided."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference.programmes", description=__doc__)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="leave the first ones out")
    options = parser.parse_args(words)
    first, second = map(load_rules, folders())
    counts: Counter[str] = Counter()
    for number, log in enumerate(islice(lived(first, options.seed, options.skip), options.people), 1):
        try:
            counts += compare(story(first, log), [first])
            counts += compare(story(first, log, second), [first, second])
        except AssertionError as error:
            print(f"person {number + options.skip - 1} of seed {options.seed}:{error}")
            return 1
    kinds = Counter[str]()
    for name, count in counts.items():
        kinds[name.partition(" ")[0]] += count
    print(f"{options.people} people, {sum(counts.values()):,} decisions, none differs: {dict(kinds.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
