"""Passwords: which may be chosen, and what is kept of them.

    refuse_weak("password")                        -> WeakPassword: one of the commonest
    refuse_weak("ana@shop.example", email=...)     -> WeakPassword: the own email address
    hashed("correct horse")                        -> "$argon2id$..."
    verified("correct horse", "$argon2id$...")     -> True

There are no rules of composition: length, and nothing that is guessed first. Two spellings that look the same are one
password (Unicode NFC, plain spaces), because keyboards differ in what they make of one key. Hashing takes 64 MiB for a
tenth of a second; who does it on behalf of strangers takes turns (`holdfast.web.identity.hashing`).
"""

from __future__ import annotations

from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

from holdfast.core.records.text import composed

PASSWORD_CHARACTERS_MIN = 8
PASSWORD_CHARACTERS_MAX = 200

_ARGON2 = PasswordHash.recommended()


class WeakPassword(ValueError):
    """The password may not be chosen; the message says why."""


def refuse_weak(password: str, *, email: str = "", organisation: str = "") -> None:
    """Raise WeakPassword for what is too short, common, or the user's address or organisation."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        bounds = f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX}"
        raise WeakPassword(f"A password has {bounds} characters; this one has {len(password)}.")
    text = _bare(composed(password))
    if text in _common() or len(set(text)) == 1:
        raise WeakPassword("This password is one of those that are guessed first: choose another.")
    if email and text in (_bare(email), _bare(email.partition("@")[0])):
        raise WeakPassword("A password must not be the email address: choose another.")
    if text in {"holdfast", _bare(organisation)}:
        raise WeakPassword("A password must not be the name of the organisation: choose another.")


def hashed(password: str) -> str:
    """What is kept of a password (Argon2)."""
    return _ARGON2.hash(composed(password))


def verified(password: str, password_hash: str) -> bool:
    """Is it the password of the hash? A hash of before may be of the very signs that were typed."""
    try:
        known = _ARGON2.verify(composed(password), password_hash)
        return known or (password != composed(password) and _ARGON2.verify(password, password_hash))
    except (UnknownHashError, UnicodeEncodeError):  # no password was set, or a text with lone surrogates
        return False


def _bare(text: str) -> str:
    """The text as it is compared: without case and spaces."""
    return "".join(text.split()).casefold()


@cache
def _common() -> frozenset[str]:
    """The commonest passwords that are long enough: about 11,600."""
    # A second and 15 MB: only where passwords are chosen. The package brings no types.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped]

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= PASSWORD_CHARACTERS_MIN)
