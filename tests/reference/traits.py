"""Which value of a trait counts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.reference import days

if TYPE_CHECKING:
    from tests.reference.life import Life

MOST_DELETIONS = 50
DELETION_DAYS = 30


def set_traits(life: "Life", traits: Mapping[str, Any], moment: int) -> None:
    """By event time; an older call fills what is missing."""
    life.deleted = {name: at for name, at in life.deleted.items() if life.now - at <= DELETION_DAYS * days.DAY}
    for name, value in traits.items():
        if moment < max(life.trait_times.get(name, -1), life.deleted.get(name, -1)):
            continue
        for known in (life.traits, life.trait_times, life.deleted):
            known.pop(name, None)
        if value is None:
            life.deleted[name] = moment
        else:
            life.traits[name], life.trait_times[name] = value, moment
    latest = sorted(life.deleted, key=lambda name: (life.deleted[name], name))[-MOST_DELETIONS:]
    life.deleted = {name: life.deleted[name] for name in latest}
