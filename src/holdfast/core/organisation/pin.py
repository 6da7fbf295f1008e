"""A user's PIN as commands carry it, and that it names one user of the organisation (decision 0025).

    refuse_taken_pin(stock, NewPin(...), "<id of its user>")     -> ALREADY_EXISTS where another user has it

Nothing is hashed here: the door has compared the PIN with the hashes at its index, and says with which. It refuses what
was not compared.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.core.organisation.changes import User, lock_organisation, written
from holdfast.core.records.rejection import Code, Refused
from holdfast.core.records.wants import UsersNearPin, UsersOfPin
from holdfast.core.stock.posting import Stock

Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
"""A hash of 32 bytes, in hexadecimal."""

PinHash = Annotated[str, Meta(pattern="^[0-9a-f]{64}(:[0-9a-f]{32})?$")]
"""A hash of 32 bytes and the user's own salt; those of older versions have none."""


class NewPin(msgspec.Struct, frozen=True, gc=False):
    """A PIN as `holdfast.pins` made it: its hash, where it is looked for, and what was compared with it.

    `others` are the hashes at `index` that are of other PINs, `old_hash` is how an older version would keep it.
    """

    hash: PinHash
    index: Annotated[int, Meta(ge=0, le=2**16)]
    old_hash: Digest
    others: Annotated[tuple[PinHash, ...], Meta(max_length=100_000)] = ()


def refuse_taken_pin(stock: Stock, pin: NewPin, own_id: str) -> None:
    """Refuse a second user of a PIN: at a till nothing else names them. A hash at its index that was not compared may
    be of it."""
    lock_organisation(stock)
    near = {
        *stock.require(UsersNearPin(str(pin.index)), UsersOfPin(pin.old_hash)),
        *stock.require(UsersOfPin(pin.old_hash)),
    }
    near.update(user.id for user in written(stock, "app_user"))
    users = stock.each(sorted(near - {own_id}), lambda _, name: stock.record("app_user", name))
    hashes = {user.pin_hash for user in users if user is not None and user.active and _near(user, pin)}
    if not hashes <= set(pin.others):
        raise Refused(Code.ALREADY_EXISTS, "Another user has that PIN.", {"field": "pin"})


def _near(user: User, pin: NewPin) -> bool:
    return user.pin_index == pin.index or user.pin_hash == pin.old_hash
