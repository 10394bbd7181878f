"""The steps of a journey, one module a kind, and the flat program that they become.

A new kind is a class in its own module, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import Final

from triggers.steps.choice import If
from triggers.steps.choose import Choose
from triggers.steps.end import Ending
from triggers.steps.kind import StepKind, all_of
from triggers.steps.send import Send
from triggers.steps.set_traits import SetTraits
from triggers.steps.split import Split
from triggers.steps.waits import Delay
from triggers.steps.when import When

__all__ = ["KINDS", "StepKind", "all_of"]

KINDS: Final[dict[str, type[StepKind]]] = {
    "wait": Delay,
    "send": Send,
    "when": When,
    "if": If,
    "choose": Choose,
    "split": Split,
    "end": Ending,
    "set": SetTraits,
}
"""The kinds by their word in a rule file."""
