"""Remember which messages of a user have been folded: their ids of a day, in at most 2 KiB.

An id is remembered by 8 bytes of hash and by the hour of the partition's clock at which it was folded. It is known for 24 hours, or as
long as `settings: {duplicates: ...}` of the active rules says, to the end of its hour. Ids are removed only while an event of that user is
folded. So the answer depends on the user's own records and the clock, never on batches or restarts. First, the ids that are too old are
removed; then, beyond 2 KiB, the oldest ids of calls that no rule reads; then the oldest of all.

A state holds two strings of bytes: the ids of calls that a rule reads, and those of other calls. The latest come first:

    4 bytes  hour, big-endian      of each hour
    4 bytes  number of ids that follow
    8 bytes  of each id
"""

from struct import Struct
from typing import Final

from triggers.base.model import NEVER
from triggers.state.sections.seen import GROUP, ID_BYTES
from triggers.state.user import User

MAX_IDS: Final = 2 * 1024
"""Maximum bytes of one user's remembered message ids."""

_group = Struct(">II")
_pack: Final = _group.pack
_unpack: Final = _group.unpack_from
_NONE: Final = (-1, 0)


def is_duplicate(user: User, digest: bytes, since: int) -> bool:
    """Return whether the id of this digest is remembered from the hour `since` on."""
    return _holds(user.seen, digest, since) or _holds(user.unread, digest, since)


def _holds(ids: bytes, digest: bytes, since: int) -> bool:
    found = ids.find(digest)
    at = 0
    while found >= 0 and at < len(ids):
        hour, number = _unpack(ids, at)
        if hour < since:
            return False
        end = at + GROUP + ID_BYTES * number
        while 0 <= found < end:
            if found >= at + GROUP and found % ID_BYTES == 0:
                return True
            found = ids.find(digest, found + 1)
        at = end
    return False


def remember(user: User, digest: bytes, hour: int, since: int, *, read: bool) -> None:
    """Remember an id of this hour of the clock. `read`: a rule reads the call. Ids of hours before `since` are removed."""
    seen, unread = user.held_seen, user.held_unread
    if seen is None:
        seen = user.seen
    if unread is None:
        unread = user.unread
    ids = seen if read else unread
    latest, number = _unpack(ids) if ids else _NONE
    other = unread if read else seen
    if latest == hour:
        ids = _pack(hour, number + 1) + digest + ids[GROUP:]
    else:
        if user.ids_since < since:  # else no id is too old
            if latest < since:
                ids, oldest = b"", hour
            elif len(ids) == GROUP + ID_BYTES * number:
                oldest = latest
            else:
                ids, oldest = _since(ids, since)
            if other:
                other, of_other = _since(other, since)
                oldest = min(oldest, of_other)
            user.ids_since = oldest
        ids = _pack(hour, 1) + digest + ids
    if read:
        user.held_seen, user.held_unread = ids, other
    else:
        user.held_seen, user.held_unread = other, ids
    if len(ids) + len(other) > MAX_IDS:
        _make_room(user)


def _since(ids: bytes, since: int) -> tuple[bytes, int]:
    """Return the ids without the hours before `since`, and the oldest hour of those."""
    at, oldest = 0, NEVER
    while at < len(ids):
        hour, number = _unpack(ids, at)
        if hour < since:
            return ids[:at], oldest
        oldest = hour
        at += GROUP + ID_BYTES * number
    return ids, oldest


def _make_room(user: User) -> None:
    while len(user.seen) + len(user.unread) > MAX_IDS:
        if user.unread:
            user.unread = _without_oldest(user.unread)
        else:
            user.seen = _without_oldest(user.seen)


def _without_oldest(ids: bytes) -> bytes:
    at = last = 0
    while at < len(ids):
        last = at
        at += GROUP + ID_BYTES * _unpack(ids, at)[1]
    hour, number = _unpack(ids, last)
    if number == 1:
        return ids[:last]
    return ids[:last] + _pack(hour, number - 1) + ids[last + GROUP : -ID_BYTES]


def packed(ids: bytes, hours: dict[int, int]) -> bytes:
    """Pack ids of schema 1: the oldest come first, and `hours` gives the number of ids of each hour."""
    made, at = b"", 0
    for hour, number in hours.items():
        here = [ids[at + ID_BYTES * n : at + ID_BYTES * (n + 1)] for n in range(number)]
        made = _pack(hour, number) + b"".join(reversed(here)) + made
        at += ID_BYTES * number
    return made
