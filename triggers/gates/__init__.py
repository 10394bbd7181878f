"""What can hold back a run or a message, one module a gate.

A new gate is a class in its own module, and a line in `GATES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.gates.caps import Caps
from triggers.gates.consent import Consent
from triggers.gates.dry import Dry
from triggers.gates.expired import Expired
from triggers.gates.gate import Gate
from triggers.gates.late import Late
from triggers.gates.paused import Paused
from triggers.gates.quiet import Quiet
from triggers.gates.suppressed import Suppressed
from triggers.gates.withheld import Withheld, WithheldTraits

if TYPE_CHECKING:
    from triggers.steps.context import Stage

GATES: Final[list[Gate]] = [Suppressed(), Paused(), Late(), Expired(), Consent(), Quiet(), Caps(), Withheld(), WithheldTraits(), Dry()]
"""The gates in the order in which the engine asks them. The first that skips decides; if none does, the one that holds longest."""
AT_STAGE: Final[dict[Stage, list[Gate]]] = {"continue": [], "send": [], "set": [], "hand over": []}
"""The gates that are asked at a stage, in the same order."""
OF_ENTRIES: Final[list[Gate]] = []
"""The gates that can refuse entries."""


def arrange() -> None:
    """Fill `AT_STAGE` and `OF_ENTRIES` from `GATES`: most runs pass by most gates, so no run looks at those of other stages."""
    for stage, gates in AT_STAGE.items():
        gates[:] = [gate for gate in GATES if gate.stage == stage]
    OF_ENTRIES[:] = [gate for gate in GATES if gate.refuses]


arrange()
