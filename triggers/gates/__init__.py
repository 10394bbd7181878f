"""What can hold back a run or a message, one module a gate.

A new gate is a class in its own module, and a line in `GATES`.
"""

from __future__ import annotations

from typing import Final

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

GATES: Final[list[Gate]] = [Suppressed(), Paused(), Late(), Expired(), Consent(), Quiet(), Caps(), Withheld(), WithheldTraits(), Dry()]
"""The gates in the order in which the engine asks them. The first that skips decides; if none does, the one that holds longest."""
