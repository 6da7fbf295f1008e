"""The id of a hold that is split off another one: who foresees the split and who does it give it the same id.

    split_id(hold.id, level.id, level.seq)     -> an id next to the hold's own
    ids_around(split)                          -> (lowest, highest) id that the hold can have from which it was split

It begins with the hold's time, so a list by id has both where the list by age has them. A level's `seq` is used once,
so no two splits have one id.
"""

from __future__ import annotations

import hashlib
import uuid

_STEP_BITS = 52
"""An id is less than 2 ** 52 away from the one that it was split from."""

_RANDOM = (1 << 62) - 1
"""The last bits of a UUIDv7, which are random: a step stays within them."""

_SPLITS = 4
"""Splits of splits that `ids_around` reaches over."""


def split_id(hold_id: str, level_id: str, seq: int) -> str:
    """The id of the hold that is split off `hold_id` at a level whose last ledger entry is number `seq`."""
    text = f"{hold_id} {level_id} {seq}".encode()
    step = 1 + (int.from_bytes(hashlib.sha256(text).digest(), "big") >> 256 - _STEP_BITS)
    number = uuid.UUID(hold_id).int
    above = (number & _RANDOM) + step <= _RANDOM
    return str(uuid.UUID(int=number + step if above else number - step))


def ids_around(split: str) -> tuple[str, str]:
    """The lowest and the highest id of a hold from which a hold with the id `split` may have been split."""
    number, reach = uuid.UUID(split).int, _SPLITS << _STEP_BITS
    low, high = max(number - reach, 0), min(number + reach, (1 << 128) - 1)
    return str(uuid.UUID(int=low)), str(uuid.UUID(int=high))
