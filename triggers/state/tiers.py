"""The level of a user in one tier. In its own module, because msgspec structs must not be compiled."""

import msgspec

from triggers.base.model import NEVER


class TierStanding(msgspec.Struct, array_like=True, gc=False):
    """At which level of a tier a user is, and when time could change that."""

    key: str
    """Of the levels (`definitions.tiers.Tier.key`)."""
    level: int = 0
    """0: below the first."""
    since: int = 0
    """When the level was set, ms."""
    due: int = NEVER
    """When time alone could next change it."""
    below: int = -1
    """Since when its condition and those of all higher levels have been false, ms; -1: one is not."""
    sure: bool = True
    """All higher levels were known to be false when it was set, or have been since."""
