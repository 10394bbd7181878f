"""What may keep a run or a message back, one module a gate.

A new gate is a class in a module of its own, and a line in `GATES`.
"""

from __future__ import annotations

from typing import Final

from triggers.gates.dry import Dry
from triggers.gates.gate import Gate
from triggers.gates.late import Late
from triggers.gates.paused import Paused

GATES: Final[list[Gate]] = [Paused(), Late(), Dry()]
"""In the order in which they are asked. The first that says no decides."""
