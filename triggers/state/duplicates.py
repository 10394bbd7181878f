"""Which messages of a user have been folded already: their ids of a day, in at most 2 KiB.

An id is remembered by 8 bytes of hash and by the hour of the partition's clock at which it was folded. It is known for 24 hours, or as
long as `settings: {duplicates: ...}` of the rules in force says, to the end of its hour. Room is made only while an event of that user is
folded, so the answer depends on the user's own records and the clock, never on batches or restarts: first what is too old, then, beyond
2 KiB, the oldest ids of calls that no rule reads, then the oldest of all.
"""

from typing import Final

from triggers.state.user import User

ID_BYTES: Final = 8
"""Of the hash of a message id."""
HOUR_BYTES: Final = 8
"""Of an hour with its number of ids."""
MAX_IDS: Final = 2 * 1024
"""Most bytes of one user's remembered message ids."""
SURELY_FIT: Final = MAX_IDS // 2
"""So many bytes of ids fit with their hours: each hour has an id, and takes no more than one."""


def is_duplicate(user: User, digest: bytes, since: int) -> bool:
    """Whether the id of this digest is remembered from the hour `since` on."""
    return (user.ids.find(digest) >= 0 and _holds(user.ids, user.hours, digest, since)) or (
        user.unread.find(digest) >= 0 and _holds(user.unread, user.unread_hours, digest, since)
    )


def _holds(ids: bytes, hours: dict[int, int], digest: bytes, since: int) -> bool:
    at = ids.find(digest)
    while at >= 0:
        if at % ID_BYTES == 0:
            before = at // ID_BYTES
            for hour, count in hours.items():
                before -= count
                if before < 0:
                    if hour >= since:
                        return True
                    break
        at = ids.find(digest, at + 1)
    return False


def remember(user: User, digest: bytes, hour: int, since: int, *, read: bool) -> None:
    """Remembers an id that came in this hour of the clock; `read`: a rule reads the call. Ids of hours before `since` are let go."""
    hours = user.hours if read else user.unread_hours
    if hour not in hours:
        if user.ids and next(iter(user.hours)) < since:
            user.ids = _without(user.ids, user.hours, since)
        if user.unread and next(iter(user.unread_hours)) < since:
            user.unread = _without(user.unread, user.unread_hours, since)
        hours[hour] = 0
    hours[hour] += 1
    if read:
        user.ids += digest
    else:
        user.unread += digest
    if len(user.ids) + len(user.unread) > SURELY_FIT:
        _make_room(user)


def _make_room(user: User) -> None:
    while len(user.ids) + len(user.unread) + HOUR_BYTES * (len(user.hours) + len(user.unread_hours)) > MAX_IDS:
        if user.unread:
            user.unread = _without_oldest(user.unread, user.unread_hours)
        else:
            user.ids = _without_oldest(user.ids, user.hours)


def _without(ids: bytes, hours: dict[int, int], since: int) -> bytes:
    if next(reversed(hours)) < since:  # who comes seldom has none that is younger
        hours.clear()
        return b""
    number = 0
    for hour in [hour for hour in hours if hour < since]:
        number += hours.pop(hour)
    return ids[ID_BYTES * number :]


def _without_oldest(ids: bytes, hours: dict[int, int]) -> bytes:
    for hour, count in hours.items():
        if count > 1:
            hours[hour] = count - 1
        else:
            del hours[hour]
        break
    return ids[ID_BYTES:]
