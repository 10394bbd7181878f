"""Which value of a trait counts."""

from typing import TYPE_CHECKING

from tests.reference import days
from tests.reference.log import Said

if TYPE_CHECKING:
    from tests.reference.life import Life

MOST_DELETIONS = 50
DELETION_DAYS = 30


def set_traits(life: "Life", said: Said) -> None:
    """By event time; an older call fills what is missing."""
    life.deleted = {name: at for name, at in life.deleted.items() if life.now - at <= DELETION_DAYS * days.DAY}
    for name, value in said.traits.items():
        if said.event_time < max(life.trait_times.get(name, -1), life.deleted.get(name, -1)):
            continue
        for known in (life.traits, life.trait_times, life.deleted):
            known.pop(name, None)
        if value is None:
            life.deleted[name] = said.event_time
        else:
            life.traits[name], life.trait_times[name] = value, said.event_time
    latest = sorted(life.deleted, key=lambda name: (life.deleted[name], name))[-MOST_DELETIONS:]
    life.deleted = {name: life.deleted[name] for name in latest}
