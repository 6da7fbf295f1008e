"""Secrets that say whose they are: API keys, browser sessions, register sessions.

    new_token(KEY, org_id)          -> Token("hf_0tGP3D...Xq_7bQk...Zt", its SHA-256, "x9Zt")
    sought(KEY, b"hf_0tGP3D...")    -> Sought(org_id, its SHA-256): one organisation is asked for it
    sought(KEY, b"hf_secret")       -> None: nobody made that, and nobody is asked

A token is a prefix, the organisation's id, and 256 random bits, with an underscore between them. Id and random bits are
numbers in base 62 (digits, capitals, small letters), always 22 and 43 of them, so a token has one way to be read, no
sign that an address, a cookie or a shell minds, and is marked as a whole by a double click. What is kept of it is the
SHA-256 of all of it: a token whose organisation was exchanged is another token.

Tokens of before have no organisation in them (the prefix and 43 characters of URL-safe base64, sessions without any
prefix); they are looked for in all organisations. The organisation in a token is no secret and no proof: only whoever
has its row knows whether it exists.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID

KEY = "hf_"
"""Before an API key."""

SESSION = "hs_"
"""Before the token of a browser session."""

TILL = "till_"
"""Before the token of a register session."""

SECRET_BITS = 256
HINT_CHARACTERS = 4
"""Characters at the end of an API key that are shown, so that people can tell their keys apart."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_ID_DIGITS = 22
_SECRET_DIGITS = 43
_ID_MAX = 2**128


class Token(NamedTuple):
    """A new token: its text, which is told once, its SHA-256, which is kept, and its last characters."""

    text: str
    digest: str
    hint: str


class Sought(NamedTuple):
    """What to look for: the organisation that a token names, None for one of before, and its SHA-256."""

    org_id: str | None
    digest: str


def new_token(kind: str, org_id: str) -> Token:
    """A new token of an organisation; `kind` is KEY, SESSION or TILL."""
    secret = _written(secrets.randbits(SECRET_BITS), _SECRET_DIGITS)
    text = f"{kind}{_written(UUID(org_id).int, _ID_DIGITS)}_{secret}"
    return Token(text, digest_of(text), text[-HINT_CHARACTERS:])


def digest_of(text: str) -> str:
    """What is kept of a token: SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()


def sought(kind: str, token: bytes) -> Sought | None:
    """What to look for when somebody shows this token; None when it can be none of the kind."""
    found, before = _forms(kind)
    match = found.fullmatch(token)
    if match is not None:
        org_id = _organisation(match[1])
        return None if org_id is None else Sought(org_id, hashlib.sha256(token).hexdigest())
    return Sought(None, hashlib.sha256(token).hexdigest()) if before.fullmatch(token) else None


@cache
def _forms(kind: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """How a token of the kind is written, and how one of before was."""
    old = b"" if kind == SESSION else kind.encode()
    digits = b"([0-9A-Za-z]{%d})_[0-9A-Za-z]{%d}" % (_ID_DIGITS, _SECRET_DIGITS)
    return re.compile(kind.encode() + digits), re.compile(old + b"[0-9A-Za-z_-]{43}")


def _written(number: int, digits: int) -> str:
    """A number in base 62, with zeros in front."""
    text = ""
    for _ in range(digits):
        number, value = divmod(number, len(_DIGITS))
        text = _DIGITS[value] + text
    return text


@lru_cache(1024)
def _organisation(digits: bytes) -> str | None:
    """The organisation that a token names; the same few come with every request."""
    number = 0
    for digit in digits.decode():
        number = number * len(_DIGITS) + _VALUES[digit]
    return str(UUID(int=number)) if number < _ID_MAX else None
