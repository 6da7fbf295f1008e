"""Strict JSON: what comes in is exactly what was meant, or a 400 that names the field.

    decode(decoder, b'{"product_id": "MUG-1", "quantity": 2.50}')    -> the Struct, quantity Decimal("2.50")
    decode(decoder, b'{"product_id": "MUG-1", "product_id": "X"}')   -> INVALID_REQUEST, field product_id
    decode(decoder, b'{"product_id": "MUG-1", "quantity": NaN}')     -> INVALID_QUANTITY, field quantity

Numbers are kept exactly: whole ones as int of any size, others as Decimal. It refuses duplicate keys, unknown fields,
wrong types, control and format characters and lone surrogates in texts, bytes that are not UTF-8, NaN and infinity, and
whatever a field's own type refuses (`core.records.field`). Texts come out as they are kept: two spellings that look the
same are one. What a quantity may be (zero, negative, places) is not tested here: the core knows the product.

See docs/reference/api.md#conventions and docs/reference/api.md.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.core.fingerprint import canonical_value
from holdfast.core.records.field import PRINTABLE, Text
from holdfast.core.records.learned_type import learned
from holdfast.core.records.number import Quantity
from holdfast.core.records.shape import complaint_parts, fault_of, shown
from holdfast.core.records.text import TEXT_MAX, UNPRINTABLE, composed, text_fault
from holdfast.core.records.time import day_of, instant_of, start_of_day
from holdfast.web.http.problems import Problem, invalid, problem_of

BODY_MAX = 1024 * 1024
"""Most bytes of a body; `BATCH_BODY_MAX` for batches."""

BATCH_BODY_MAX = 4 * BODY_MAX

VALUES_MAX = 200_000
"""Most values of a body, as many as its commas and brackets could be of; the largest batch has a tenth of them."""

ASIDE_BYTES = 64 * 1024
"""A larger body is decoded in a thread, so that nothing else waits for it."""

DIGITS_MAX = 400
"""Most digits in a row of a number that is read; a longer one is out of any bounds anyway. To read a number costs the
square of its digits: a body of numbers of 4,000 digits each kept a processor for a quarter of a second."""

_DIGITS = b"0123456789"

InstantOrDay = Annotated[
    str, Meta(min_length=1, max_length=TEXT_MAX, extra_json_schema={"examples": ["2030-01-31", "2030-01-31T12:00:00Z"]})
]
"""A day, or an ISO 8601 instant with its offset."""

Instant = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, extra_json_schema={"format": "date-time"})]
"""An ISO 8601 instant with its offset."""

QUANTITY_FIELDS = frozenset(
    {"quantity", "expected_quantity", "counted", "reorder_point", "preorder_limit", "default_reorder_point"}
)
"""Where a number that is none (NaN, infinity, one beyond reading) is INVALID_QUANTITY; elsewhere INVALID_REQUEST."""

_UNTYPED = msgspec.json.Decoder(float_hook=Decimal)
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that needs none: absent, or an empty object."""


def decoder_of(body: type[Any]) -> msgspec.json.Decoder[Any]:
    """The decoder of a body Struct."""
    return msgspec.json.Decoder(learned(body), float_hook=Decimal)


def decode(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    """The body as its Struct; a Problem that names the field when it is not exactly one."""
    if not raw:
        raw = b"{}"
    if len(raw) > VALUES_MAX and sum(map(raw.count, (b",", b"[", b"{"))) > VALUES_MAX:
        raise invalid("", f"The body has more than {VALUES_MAX:,} values.")
    _refuse_long_numbers(raw)
    # Without a backslash, a byte above 126 or DEL, no text can hold anything unprintable, and every quote is one.
    plain = b"\\" not in raw and raw.isascii() and b"\x7f" not in raw
    if not plain:
        _examine(raw)
        raw = _composed_bytes(raw)
    try:
        body = decoder.decode(raw)
        if plain and b"".join(raw.split(b'"')[::2]).count(b":") != _keys(_UNTYPED.decode(raw)):
            _examine(raw)
    except msgspec.ValidationError as error:
        _examine(raw)
        raise _named(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation, RecursionError):
        _examine(raw)
        raise invalid("", "The body is not JSON.") from None
    fault = fault_of(body)
    if fault is not None:
        raise problem_of(fault)
    return body


def _refuse_long_numbers(raw: bytes) -> None:
    """Refuse a number that nobody could keep, before it is read; a text may have as many digits as it likes."""
    if _has_long_number(raw) and _has_long_number(_without_texts(raw)):
        _examine(raw)
        raise invalid("", f"A number has more than {DIGITS_MAX} digits in a row.")


def _has_long_number(raw: bytes) -> bool:
    """Are there more than DIGITS_MAX digits in a row?

    So many cover one byte in each DIGITS_MAX + 1: what stands around those is looked at, and so no byte more than
    twice. A pattern for it begins anew at each digit, and takes the square of a run.
    """
    for place in range(DIGITS_MAX, len(raw), DIGITS_MAX + 1):
        if raw[place] in _DIGITS:
            before, after = raw[place - DIGITS_MAX : place], raw[place + 1 : place + 1 + DIGITS_MAX]
            run = 1 + len(before) - len(before.rstrip(_DIGITS)) + len(after) - len(after.lstrip(_DIGITS))
            if run > DIGITS_MAX:
                return True
    return False


def _without_texts(raw: bytes) -> bytes:
    """What stands outside of the texts of a body; one that does not end goes to the end of the body."""
    bare = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b'"'.join(bare.split(b'"')[::2])


def _composed_bytes(raw: bytes) -> bytes:
    """The body, which was examined, with every text as it is kept (`core.records.text.composed`)."""
    try:
        return _encode(_canonical(_UNTYPED.decode(raw)))
    except (msgspec.DecodeError, InvalidOperation, RecursionError):
        return raw  # the decoder will say what is wrong with it


def canonical(raw: bytes) -> bytes:
    """The same bytes for the same JSON, whatever the order of keys, the spacing, or how a number is written."""
    if not raw:
        return b"{}"
    return _encode_sorted(_canonical(_UNTYPED.decode(raw)))


def _canonical(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {composed(key): _canonical(one) for key, one in value.items()}
    if kind is list:
        return [_canonical(one) for one in value]
    return canonical_value(value)


def _keys(value: Any) -> int:
    """How many keys the objects of a decoded document have together."""
    kind = type(value)
    if kind is dict:
        count = len(value)
        for one in value.values():
            if type(one) is list or type(one) is dict:
                count += _keys(one)
        return count
    if kind is list:
        return sum(map(_keys, value))
    return 0


# The slow, exact look at a body that is unusual or wrong -------------------------------------------------------------


class _NotANumber:
    """Stands for NaN, infinity, or a number beyond reading."""


_NOT_A_NUMBER = _NotANumber()


def _exact(text: str) -> Decimal | _NotANumber:
    if len(text) > DIGITS_MAX and _has_long_number(text.encode()):
        return _NOT_A_NUMBER
    try:
        return Decimal(text)
    except InvalidOperation:
        return _NOT_A_NUMBER


def _whole(text: str) -> int | _NotANumber:
    return int(text) if len(text) <= DIGITS_MAX else _NOT_A_NUMBER


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {composed(name): value for name, value in pairs}
    if len(members) != len(pairs):
        seen: set[str] = set()
        names = [composed(key) for key, _ in pairs]
        name = next(key for key in names if key in seen or seen.add(key))  # type: ignore[func-returns-value] # add is None
        raise invalid(shown(name), "appears twice in one object.")
    return members


def _examine(raw: bytes) -> None:
    """Raise the Problem of a body that is wrong whatever its fields should be; return when nothing is."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise invalid("", f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_exact,
            parse_int=_whole,
            parse_constant=lambda _: _NOT_A_NUMBER,
        )
        wrong = _first_wrong(value, [], "")
    except json.JSONDecodeError as error:
        raise invalid("", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise invalid("", "The body is nested too deeply.") from None
    if wrong is not None:
        raise wrong


def _first_wrong(value: Any, path: list[str], field: str) -> Problem | None:
    """What is wrong first in a document; `field` is the last name in the path, `path` is left as it was.

    Each value is looked at once, however deep it lies.
    """
    if isinstance(value, str):
        words = text_fault(field, value)
        return None if words is None else invalid(".".join(path), words)
    if isinstance(value, _NotANumber):
        quantity = path and (path[-1] in QUANTITY_FIELDS or path[-2:-1] == ["reorder_points"])
        return invalid(".".join(path), "is not a number that can be kept.", _not_a_number_code(bool(quantity)))
    if not isinstance(value, dict | list):
        return None
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in members:
        name = field
        if isinstance(key, str):
            if text_fault("", key) is not None:
                return invalid(".".join((*path, shown(key))), "a name with control or format characters.")
            name = field if key.isdigit() else key
        if one is None or isinstance(one, bool | int | Decimal):
            continue
        path.append(str(key))
        wrong = _first_wrong(one, path, name)
        path.pop()
        if wrong is not None:
            return wrong
    return None


def _not_a_number_code(quantity: bool) -> str:
    return "INVALID_QUANTITY" if quantity else "INVALID_REQUEST"


def _named(message: str) -> Problem:
    """msgspec's complaint as a Problem that names the field."""
    field, words = complaint_parts(message)
    return invalid(field, words if field else f"The body: {words}")


# Texts with a meaning ------------------------------------------------------------------------------------------------


def unprintable(text: str) -> bool:
    """Does the text hold control characters or lone surrogates?"""
    return UNPRINTABLE.search(text) is not None


def instant(field: str, text: str, code: str = "INVALID_REQUEST") -> int:
    """An ISO 8601 instant in microseconds since 1970."""
    at = instant_of(text)
    if at is None:
        raise invalid(field, "must be an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z.", code)
    return at


def instant_or_start(field: str, text: str, timezone: str) -> int:
    """An instant in microseconds since 1970; a day means its first instant in the time zone."""
    day = day_of(text)
    at = instant_of(text) if day is None else start_of_day(day, timezone)
    if at is None:
        raise invalid(field, _INSTANT_OR_DAY)
    return at


_INSTANT_OR_DAY = "must be a day, as 2030-01-31, or an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z."


def expiry(field: str, text: str | None) -> tuple[int | None, str | None]:
    """A lot's expiry: (instant in microseconds, None), or (None, day) when only a day was given."""
    if text is None:
        return None, None
    day = day_of(text)
    if day is not None:
        return None, day
    at = instant_of(text)
    if at is None:
        raise invalid(field, _INSTANT_OR_DAY, "INVALID_EXPIRY")
    return at, None


__all__ = [
    "BATCH_BODY_MAX", "BODY_MAX", "DIGITS_MAX", "PRINTABLE", "QUANTITY_FIELDS", "TEXT_MAX", "Instant", "InstantOrDay",
    "Nothing", "Quantity", "Text", "canonical", "decode", "decoder_of", "expiry", "instant", "instant_or_start",
    "unprintable",
]  # fmt: skip
