"""The ten programmes of the reading app decide what the reference decides, over simulated people, with and without commands.

`python -m tests.reference.programmes --people 300` compares more of them.
"""

from collections import Counter
from itertools import islice

import pytest

from tests.reference.programmes import compare, folders, lived, story
from triggers import RuleSet, load_rules

PEOPLE = 30
SEED = 5
DEVOTED = (143, 206)
"""Two more of this seed: they read each day, get the trial, and rise to gold and diamond."""
LONGEST = 320
"""Records. The reference takes 20 s for those who read each day all the time; a run by hand compares them too."""


@pytest.fixture(scope="module")
def rule_sets() -> list[RuleSet]:
    return [load_rules(folder) for folder in folders()]


@pytest.mark.timeout(900)
def test_the_ten_programmes_decide_what_the_reference_decides(rule_sets: list[RuleSet]) -> None:
    """Each person's log as it is, and every other one again with commands and other rules in it."""
    first, second = rule_sets
    counts: Counter[str] = Counter()
    logs = [*islice(lived(first, SEED), PEOPLE), *(next(lived(first, SEED, number)) for number in DEVOTED)]
    for number, log in enumerate(logs):
        if len(log) <= LONGEST:
            counts += compare(story(first, log), [first])
            if number % 2 == 0:
                counts += compare(story(first, log, second), [first, second])
    kinds = {name.partition(" ")[0] for name in counts}
    assert kinds >= {"entered", "waiting", "sent", "held", "blocked", "dropped", "converted", "exited", "tier", "refused", "skipped", "met"}
    assert {name.partition(" ")[2] for name in counts} >= set(first.journeys)
