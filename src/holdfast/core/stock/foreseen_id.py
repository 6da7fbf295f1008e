"""Ids of rows that settling makes: a read that foresees such a row and the command that makes it compute the same id.

    split_id(hold.id, level.id, level.seq)     -> the id of a hold that is split off another one, next to its id
    corner_id(product.id, location.id)         -> the id of a product's level in a quarantine, next to the product's
    ids_around(made)                           -> (lowest, highest) id next to which `made` may have been put

Such an id begins with the time of the id that it lies next to. So a list by id and a list by age have both rows at the
same place. A level's `seq` is used once, and a product has one level at a location, so no two rows have one id.
"""

from __future__ import annotations

import hashlib
import uuid

_STEP_BITS = 52
"""An id is less than 2 ** 52 away from the one that it was put next to."""

_RANDOM = (1 << 62) - 1
"""The last bits of a UUIDv7, which are random: a step stays within them."""

_STEPS = 4
"""Steps that `ids_around` reaches over: a hold may be split off one that was split off itself."""


def split_id(hold_id: str, level_id: str, seq: int) -> str:
    """The id of the hold that is split off `hold_id` at a level whose last ledger entry is number `seq`."""
    return _next_to(hold_id, f"{hold_id} {level_id} {seq}")


def corner_id(product_id: str, location_id: str) -> str:
    """The id of the product's level at a quarantine location."""
    return _next_to(product_id, f"{product_id} {location_id}")


def _next_to(first: str, text: str) -> str:
    """The id that the text puts next to `first`."""
    step = 1 + (int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> 256 - _STEP_BITS)
    number = uuid.UUID(first).int
    above = (number & _RANDOM) + step <= _RANDOM
    return str(uuid.UUID(int=number + step if above else number - step))


def ids_around(made: str) -> tuple[str, str]:
    """The lowest and the highest id next to which the id `made` may have been put."""
    number, reach = uuid.UUID(made).int, _STEPS << _STEP_BITS
    low, high = max(number - reach, 0), min(number + reach, (1 << 128) - 1)
    return str(uuid.UUID(int=low)), str(uuid.UUID(int=high))
