"""Late ids: what a batch gives out as ids while the clock is behind the stock that it works on.

    new_id = ids_from(level.updated_at)
    new_id() < new_id()                 -> True, and both are above what was given out before that instant

An id is a UUIDv7: it begins with a time, and lists are read newest first by it. When somebody sets the clock back, ids
by the clock would come before those of yesterday, and the last entry of a ledger would not be the first of its list.
So the time in the id is then the level's, as it is in the entry. It knows only the ids of this process.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable

_VERSION = 7 << 76
_VARIANT = 0b10 << 62
_STEP_BITS = 20
"""Ids of one instant grow by a random step of so many bits, so that nobody can guess the next."""

_lock = threading.Lock()
_last = [0]


def ids_from(at: int) -> Callable[[], str]:
    """A maker of ids, each above the one before and above those of an instant (microseconds since 1970)."""
    floor = (at // 1000 + 1) << 80 | _VERSION | _VARIANT

    def new_id() -> str:
        with _lock:
            number = floor | secrets.randbits(61)
            if number <= _last[0]:
                number = _last[0] + 1 + secrets.randbits(_STEP_BITS)
            _last[0] = number
        return str(uuid.UUID(int=number))

    return new_id
