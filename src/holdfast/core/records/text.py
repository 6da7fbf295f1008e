"""Texts: what a text may hold, and when two texts are one.

    composed("cafe\\u0301")            -> "caf\\xe9"              (both spellings are one)
    composed("a\\xa0b")                -> "a b"                  (a no-break space is a space)
    text_fault("sku", "x\\u200b")      -> "must not contain ..."  (nobody sees the character)

Two spellings that look the same are one text: texts are kept and compared in Unicode NFC, with plain spaces. Control
characters and lone surrogates are refused everywhere. Format characters (category Cf: zero width, direction, soft
hyphen) are refused wherever a text names something; in what people tell each other (`FREE`) they are part of writing.
"""

from __future__ import annotations

import re
import unicodedata

TEXT_MAX = 200
"""Most characters of a text."""

FREE = frozenset({"reason", "note", "customer", "tracking", "description", "password", "search"})
"""Fields that name nothing: a family of emoji or a Persian word needs its zero-width joiner there."""

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates."""

UNPRINTABLE_WORDS = "must not contain control characters or lone surrogates."
FORMAT_WORDS = "must not contain format characters, which nobody sees (zero width, direction marks, soft hyphens)."

CODE = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,63}")
"""The code of a store, location or register, as it is kept."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def composed(text: str) -> str:
    """The text as it is kept and compared: Unicode NFC, every kind of space (category Zs) a plain space."""
    if text.isascii():
        return text
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in text)
    return unicodedata.normalize("NFC", spaced if len(text) <= TEXT_MAX else _marks_in_order(spaced))


def _marks_in_order(text: str) -> str:
    """The same text for NFC, taken apart, with each run of combining marks in its canonical order already.

    Python's normalization puts marks in order by insertion: a run of 80,000 would take it 20 seconds. Some signs are no
    marks and come apart into marks (U+0F73), so each sign is taken apart by itself first.
    The canonical order is a stable sort by combining class (https://www.unicode.org/reports/tr15/).
    """
    ordered: list[str] = []
    run: list[str] = []
    for sign in text:
        for part in sign if sign.isascii() else unicodedata.normalize("NFD", sign):
            if unicodedata.combining(part):
                run.append(part)
                continue
            if run:
                ordered += sorted(run, key=unicodedata.combining)
                run = []
            ordered.append(part)
    return "".join(ordered + sorted(run, key=unicodedata.combining))


def text_fault(field: str, text: str) -> str | None:
    """Why the text of the field (its last name, where it is inside of others) cannot be; None when it can."""
    if UNPRINTABLE.search(text):
        return UNPRINTABLE_WORDS
    if field not in FREE and has_format_characters(text):
        return FORMAT_WORDS
    return None


def has_format_characters(text: str) -> bool:
    """Does the text hold characters of category Cf, which nobody sees?"""
    return not text.isascii() and any(unicodedata.category(sign) == "Cf" for sign in text)


def folded(code: str) -> str:
    """The code of a store, location or register as it is kept; what is not ASCII is none, and stays as it is."""
    return code.upper() if code.isascii() else code


def uuid_text(text: str) -> str | None:
    """The UUID in lower case, or None when the text is none."""
    return text.lower() if len(text) == 36 and _UUID.fullmatch(text) else None
