"""Write commands about single users into the log: `suppress`, `unsuppress`, `erase`, `enter`.

Each is one record under the user's key, in the partition that producers use for this key; where keys of other partitions are accepted, in
every partition. There is no transaction for all users together: a failure leaves some written. The same id again is then carried out once
for each user, so to repeat the whole is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

from streams.commands.write import Refused, Session, look, now
from streams.kafka import clients
from streams.kafka.partitioner import Partitions
from triggers.base.moments import iso
from triggers.records.events import NeedsNewer, Unreadable, check_user_id
from triggers.records.user_commands import user_command, user_command_headers, user_command_record, user_command_value
from triggers.user_commands import read

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.records.messages import UserCommand

CHUNK: Final = 1_000
"""Users whose records are on their way at the same time."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be done, to whatever users."""

    kind: str
    at: int
    """Its moment, ms."""
    id: str
    channel: str | None = None
    journey: str | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """The part of the id that an operator can choose."""
        return self.id.partition(":")[2]

    def of(self, user: str) -> UserCommand:
        how = {"channel": self.channel, "journey": self.journey, "reason": self.reason}
        return user_command(self.kind, user, self.id, self.at, **how)


class Incomplete(Refused):
    """Some of the records were written, perhaps not all."""


def order(
    kind: str,
    *,
    at: int | None = None,
    batch: str | None = None,
    channel: str | None = None,
    journey: str | None = None,
    reason: str | None = None,
) -> Order:
    """Make an order. `batch` names it: the same name again is carried out once. Without a name it gets one from its moment."""
    moment = now() if at is None else at
    name = f"{kind}:{f'{now():x}' if batch is None else batch}"
    made = Order(kind=kind, at=moment, id=name, channel=channel, journey=journey, reason=reason)
    try:
        read(user_command_record(0, moment, made.of("user")))
    except (Unreadable, NeedsNewer) as error:
        raise Refused(f"{error}; nothing was written") from None
    return made


def distinct(users: Iterable[str]) -> list[str]:
    """Return the users, each once. Raises `Refused` for an id that no user can have."""
    found = list(dict.fromkeys(users))
    for user in found:
        try:
            check_user_id(user, placeholders=True)
        except (Unreadable, UnicodeEncodeError) as error:
            raise Refused(f"{user[:100]!r}: {error}; nothing was written") from None
    if not found:
        raise Refused("no users are named; nothing was written")
    return found


async def send(
    settings: Settings,
    wanted: Order,
    users: Sequence[str],
    *,
    timed: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> int:
    """Write the order for each user; return the number of records. `timed`: the log has its own clock, and the records carry the moment.

    Raises `Refused` before anything is written, `Incomplete` after that.
    """
    at = wanted.at if timed else None
    seen = await look(settings, at)
    _know(seen, wanted)
    in_force, places = seen.state.in_force, Partitions(seen.partitions)
    everywhere = settings.accept_foreign_keys if in_force is None else in_force.foreign_keys
    topic, every = settings.names.events, range(seen.partitions)
    written = 0
    async with clients.producer(settings) as producer:
        for begin in range(0, len(users), CHUNK):
            waiting: list[Any] = []
            try:
                for user in users[begin : begin + CHUNK]:
                    key, value = user.encode(), user_command_value(wanted.of(user))
                    headers = user_command_headers(value, topic, settings.signing_key)
                    for partition in every if everywhere else (places.of(key),):
                        how = {"key": key, "partition": partition, "timestamp_ms": at, "headers": headers}
                        waiting += [await producer.send(topic, value, **how)]
                await asyncio.gather(*waiting)
            except (KafkaError, TimeoutError, OSError) as error:
                await asyncio.gather(*waiting, return_exceptions=True)
                raise Incomplete(
                    f"written for {begin:,} of {len(users):,} users, perhaps for more, then: {error}. "
                    f"To repeat the whole with --id {wanted.name} is safe within a day"
                ) from error
            written += len(waiting)
            progress(min(begin + CHUNK, len(users)), len(users))
    return written


def _know(seen: Session, wanted: Order) -> None:
    """Raise `Refused` unless the active rules have the journey that is to be entered."""
    if wanted.journey is None:
        return
    rules = seen.rules(seen.standing.rule_set)
    if rules is None:
        raise Refused("no rule set has been applied yet; `cueline apply RULES` comes first")
    if wanted.journey in rules.journeys:
        return
    near = get_close_matches(wanted.journey, rules.journeys, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(rules.journeys) or 'none'}"
    raise Refused(f"the active rule set has no journey {wanted.journey}; {hint}")


def what_it_does(wanted: Order) -> str:
    """Say what happens to the users, for the question before it."""
    channel = f"by {wanted.channel}" if wanted.channel else "by any channel"
    words = {
        "suppress": f"nothing is sent to them {channel} any more",
        "unsuppress": f"the suppression {f'of {wanted.channel}' if wanted.channel else 'of all channels'} is lifted",
        "erase": "all that is known of them is removed, except a suppression; this cannot be undone",
        "enter": f"they enter journey {wanted.journey}",
    }
    return f"{words[wanted.kind]} (moment {iso(wanted.at)}, id {wanted.name})"
