"""PINs: what is kept of one, and how it is found again among an organisation's users (decision 0025).

    new_pin(org_id, "4711", near)    -> NewPin(hash="<scrypt>:<salt>", index=41, ...)
    is_pin("4711", org_id, kept)     -> True

Each hash has a salt of its own, so that one search does not find everybody's PIN. `index_of` is 6 bits of the PIN: of
the users of an organisation one in 64 has to be compared. Hashes of older versions have the organisation as their salt.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from holdfast.core.organisation.pin import NewPin

INDEXES = 64
"""How many indexes there are: each hides one part of 64 of all PINs."""

SALT_BYTES = 16

LONG_PIN_ROLES = frozenset({"manager", "admin", "owner"})
"""Roles whose new PINs have more digits."""

LONG_PIN_DIGITS_MIN = 6


def new_pin(org_id: str, pin: str, near: Iterable[str]) -> NewPin:
    """The PIN as a command takes it; `near` are the hashes that have its index. It takes 50 ms for each."""
    others = tuple(kept for kept in near if not is_pin(pin, org_id, kept))
    salt = secrets.token_hex(SALT_BYTES)
    return NewPin(f"{_scrypt(pin, salt)}:{salt}", index_of(org_id, pin), old_hash(org_id, pin), others)


def is_pin(pin: str, org_id: str, kept: str) -> bool:
    """Is it the PIN of that hash?"""
    _, _, salt = kept.partition(":")
    made = f"{_scrypt(pin, salt)}:{salt}" if salt else old_hash(org_id, pin)
    return hmac.compare_digest(made, kept)


def index_of(org_id: str, pin: str) -> int:
    """Where the PIN is looked for: the same for one PIN in 64."""
    return hashlib.sha256(f"holdfast-pin-index:{org_id}:{pin}".encode()).digest()[0] % INDEXES


def old_hash(org_id: str, pin: str) -> str:
    """The hash as older versions kept it."""
    return _scrypt(pin, f"holdfast-pin:{org_id}")


def _scrypt(pin: str, salt: str) -> str:
    return hashlib.scrypt(pin.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()
