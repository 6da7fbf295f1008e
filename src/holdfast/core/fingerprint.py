"""What makes two commands the same: their kind and their values, however a number is written.

fingerprint(Reserve("MUG-1", 2), stores=())                 -> 64 hexadecimal digits
... of Reserve("MUG-1", Decimal("2.00"))                    -> the same
... of Reserve("MUG-1", 3), or by somebody of one store     -> others
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET

from holdfast.core.decide import DECISIONS
from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.text import composed
from holdfast.core.stock.caller import Caller

KEY_MAX = 255
"""Longest idempotency key."""

KEY_WORDS = f"must be 1 to {KEY_MAX} printable ASCII characters."

_encode_sorted = msgspec.json.Encoder(order="sorted").encode
EXPONENT_MAX = 40
"""Most zeros that a whole number is written out with."""


OWN_KEY = "\x1f"
"""How a key that Holdfast itself gives begins: a caller's is printable, so the two never meet."""


def is_key(key: Any, *, own: bool = False) -> bool:
    """Can it be an idempotency key: 1 to KEY_MAX printable ASCII characters, behind OWN_KEY where it may be `own`?"""
    if type(key) is not str:
        return False
    said = key.removeprefix(OWN_KEY) if own else key
    return 0 < len(said) <= KEY_MAX and said.isascii() and said.isprintable()


def fingerprint(command: Command, caller: Caller) -> str:
    """What makes this command of this caller another than any other; 64 characters.

    A caller who is limited to stores does not hear what others were answered.
    """
    whose = sorted(caller.stores or ())
    session = caller.session_id if _means_session(command) else None
    said = [_said(command), whose, session]
    return hashlib.sha256(_encode_sorted(said)).hexdigest()


def _means_session(command: Command) -> bool:
    if isinstance(command, CommandGroup):
        return any(map(_means_session, command.commands))
    return DECISIONS[type(command)].of_session


def _said(value: Any) -> Any:
    """The value as JSON, in which equal values are written alike and Structs say what they are."""
    if isinstance(value, msgspec.Struct):
        fields = {name: _said(part) for name, part in msgspec.structs.asdict(value).items() if part is not UNSET}
        return [type(value).__name__, fields]
    if isinstance(value, tuple | list):
        return [_said(part) for part in value]
    if isinstance(value, dict):
        return {key: _said(part) for key, part in value.items()}
    return canonical_value(value)


def canonical_value(value: Any) -> Any:
    """A number or text, written in the one way that all its spellings share; anything else as it is."""
    kind = type(value)
    if kind is str:
        return composed(value)
    if kind is Decimal:
        return msgspec.Raw(number_text(value).encode()) if value.is_finite() else str(value)
    if kind is int and not -(2**63) <= value < 2**63:
        return msgspec.Raw(number_text(Decimal(value)).encode())
    return value


def number_text(number: Decimal) -> str:
    """One text for one number: whole ones of ordinary size as such, others as digits and exponent."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "JSON has no NaN"
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "0"
    exponent += len(text) - len(short)
    if 0 <= exponent <= EXPONENT_MAX:
        short, exponent = short + "0" * exponent, 0
    return f"{'-' if sign else ''}{short}" + (f"e{exponent}" if exponent else "")
