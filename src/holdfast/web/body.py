"""Strict JSON: what comes in is exactly what was meant, or a 400 that names the field (SPEC sections 2 and 10).

    decode(decoder, b'{"product_id": "MUG-1", "quantity": 2.50}')    -> the Struct, quantity Decimal("2.50")
    decode(decoder, b'{"product_id": "MUG-1", "product_id": "X"}')   -> INVALID_REQUEST, field product_id
    decode(decoder, b'{"product_id": "MUG-1", "quantity": NaN}')     -> INVALID_QUANTITY, field quantity

Numbers are kept exactly: whole ones as int of any size, others as Decimal. It refuses duplicate keys, unknown fields,
wrong types, control characters and lone surrogates in texts, bytes that are not UTF-8, NaN and infinity. What a
quantity may be (zero, negative, places) is not tested here: the core knows the product.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.core.gtin import is_gtin
from holdfast.core.number import day_of, instant_of
from holdfast.web.problems import Problem, invalid

TEXT_MAX = 200
"""Most characters of a text (SPEC section 2)."""

BODY_MAX = 1024 * 1024
"""Most bytes of a body; `BATCH_MAX` for batches."""

BATCH_MAX = 4 * BODY_MAX

DIGITS_MAX = 4000
"""Longest whole number that is read exactly; a longer one is out of any bounds anyway."""


class _NumberType(type):
    """Makes `isinstance(x, Quantity)` true of exact JSON numbers, which is how msgspec tests a custom type."""

    def __instancecheck__(cls, value: object) -> bool:
        return type(value) is int or type(value) is Decimal


class Quantity(metaclass=_NumberType):
    """A JSON number, exact: an int or a Decimal, never a text or a boolean."""


PRINTABLE = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
"""No control characters, for the documentation: it is tested on the whole body at once, which is cheaper."""

Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, extra_json_schema={"pattern": PRINTABLE})]
"""A text of 1 to 200 characters."""

Code = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$"})]
"""The code of a store or location, in any case."""

Gtin = Annotated[str, Meta(max_length=TEXT_MAX, extra_json_schema={"pattern": "^([0-9]{8}|[0-9]{12,14})$"})]
"""A GTIN, to be tested by `gtin`."""

Instant = Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, extra_json_schema={"format": "date-time"})]
"""An ISO 8601 instant with its offset."""

QUANTITY_FIELDS = frozenset(
    {"quantity", "expected_quantity", "counted", "reorder_point", "preorder_limit", "default_reorder_point"}
)
"""Where a number that is none (NaN, infinity, one beyond reading) is INVALID_QUANTITY; elsewhere INVALID_REQUEST."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_STEP = re.compile(r"\[(\d+|\.\.\.)\]")
_AT = re.compile(r"(?s)^(.*?)(?: - at `(?:key in )?\$(.*)`)?$")
_NAMED = re.compile(r"(?s)^Object (missing required|contains unknown) field `(.*)`$")
_QUOTED = re.compile(r"`([a-zA-Z]+(?: \| [a-zA-Z]+)*)`")
_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "Quantity": "number",
    "bool": "true/false",
    "NoneType": "null",
    "None": "null",
    "array": "list",
    "dict": "object",
}
"""What JSON calls the types that msgspec names."""

_UNTYPED = msgspec.json.Decoder(float_hook=Decimal)
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that needs none: absent, or an empty object."""


def decoder_of(body: type[Any]) -> msgspec.json.Decoder[Any]:
    """The decoder of a body Struct."""
    return msgspec.json.Decoder(body, float_hook=Decimal)


def decode(decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
    """The body as its Struct; a Problem that names the field when it is not exactly one."""
    if not raw:
        raw = b"{}"
    # Without a backslash, a byte above 126 or DEL, no text can hold anything unprintable, and every quote is one.
    plain = b"\\" not in raw and raw.isascii() and b"\x7f" not in raw
    if not plain:
        _examine(raw)
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
    return body


def canonical(raw: bytes) -> bytes:
    """The same bytes for the same JSON, whatever the order of keys, the spacing, or how a number is written."""
    if not raw:
        return b"{}"
    return _encode_sorted(_canonical(_UNTYPED.decode(raw)))


def _canonical(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _canonical(one) for key, one in value.items()}
    if kind is list:
        return [_canonical(one) for one in value]
    if kind is Decimal or (kind is int and not -(2**63) <= value < 2**63):
        return msgspec.Raw(_number_text(Decimal(value)).encode())
    return value


def _number_text(number: Decimal) -> str:
    """One text for one number: whole ones of ordinary size as such, others as digits and exponent."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "JSON has no NaN"
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "0"
    exponent += len(text) - len(short)
    if 0 <= exponent <= 40:
        short, exponent = short + "0" * exponent, 0
    return f"{'-' if sign else ''}{short}" + (f"e{exponent}" if exponent else "")


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
    try:
        return Decimal(text)
    except InvalidOperation:
        return _NOT_A_NUMBER


def _whole(text: str) -> int | _NotANumber:
    return int(text) if len(text) <= DIGITS_MAX else _NOT_A_NUMBER


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # add is None
        raise invalid(_shown(name), "appears twice in one object.")
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
        wrong = next(_wrong_parts(value, ()), None)
    except json.JSONDecodeError as error:
        raise invalid("", f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise invalid("", "The body is nested too deeply.") from None
    if wrong is not None:
        raise wrong


def _wrong_parts(value: Any, path: tuple[str, ...]) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, one in value.items():
            if _UNPRINTABLE.search(key):
                yield invalid(".".join((*path, _shown(key))), "a name with control characters or lone surrogates.")
            yield from _wrong_parts(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _wrong_parts(one, (*path, str(index)))
    elif isinstance(value, str):
        if _UNPRINTABLE.search(value):
            yield invalid(".".join(path), "must not contain control characters or lone surrogates.")
    elif isinstance(value, _NotANumber):
        quantity = path and (path[-1] in QUANTITY_FIELDS or path[-2:-1] == ("reorder_points",))
        yield invalid(".".join(path), "is not a number that can be kept.", _not_a_number_code(bool(quantity)))


def _not_a_number_code(quantity: bool) -> str:
    return "INVALID_QUANTITY" if quantity else "INVALID_REQUEST"


def _shown(text: str) -> str:
    """A text from outside, fit to be shown in an answer."""
    return _UNPRINTABLE.sub("\ufffd", text)[:TEXT_MAX]


def _named(message: str) -> Problem:
    """msgspec's complaint as a Problem: "Expected `int` - at `$.lines[0].quantity`" names lines.0.quantity."""
    match = _AT.match(message)
    assert match is not None
    said, path = match.group(1), match.group(2) or ""
    field = _STEP.sub(lambda step: "" if step.group(1) == "..." else f".{step.group(1)}", path).strip(".")
    named = _NAMED.match(said)
    if named is not None:
        field = f"{field}.{_shown(named.group(2))}".strip(".")
        return invalid(field, "is required." if named.group(1).startswith("missing") else "is not a known field.")
    said = _QUOTED.sub(lambda types: " or ".join(map(_word, types.group(1).split(" | "))), said)
    return invalid(field, f"{said}." if field else f"The body: {said}.")


def _word(name: str) -> str:
    return _WORDS.get(name, name)


# Texts with a meaning ------------------------------------------------------------------------------------------------


def unprintable(text: str) -> bool:
    """Does the text hold control characters or lone surrogates?"""
    return _UNPRINTABLE.search(text) is not None


def instant(field: str, text: str, code: str = "INVALID_REQUEST") -> int:
    """An ISO 8601 instant in microseconds since 1970."""
    at = instant_of(text)
    if at is None:
        raise invalid(field, "must be an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z.", code)
    return at


def gtin(field: str, text: str | None) -> str | None:
    """A GTIN, as it was written."""
    if text is not None and not is_gtin(text):
        raise invalid(field, "must be a GTIN: 8, 12, 13 or 14 digits, the last of which checks the others.")
    return text


def expiry(field: str, text: str | None) -> tuple[int | None, str | None]:
    """A lot's expiry: (instant in microseconds, None), or (None, day) when only a day was given."""
    if text is None:
        return None, None
    day = day_of(text)
    if day is not None:
        return None, day
    return instant(field, text, "INVALID_EXPIRY"), None
