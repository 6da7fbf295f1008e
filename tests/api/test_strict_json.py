"""Bodies that are not exactly what they should be are refused, and the field is named."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.web.api.receiving import ReceiptBody
from holdfast.web.api.reservations import BatchBody, ReserveBody
from holdfast.web.http.problems import Problem
from holdfast.web.http.strict_json import (
    DIGITS_MAX,
    _has_long_number,
    _without_texts,
    canonical,
    decode,
    decoder_of,
)
from tests.api.conftest import Shop

RESERVE = decoder_of(ReserveBody)
RECEIPT = decoder_of(ReceiptBody)
BATCH = decoder_of(BatchBody)

WRONG: dict[str, tuple[bytes, str, str]] = {
    "cut off": (b'{"product_id": "A"', "INVALID_REQUEST", ""),
    "trailing": (b'{"product_id":"A","quantity":1} x', "INVALID_REQUEST", ""),
    "an array": (b"[]", "INVALID_REQUEST", ""),
    "a number": (b"3", "INVALID_REQUEST", ""),
    "null": (b"null", "INVALID_REQUEST", ""),
    "duplicate": (b'{"product_id":"A","quantity":1,"quantity":2}', "INVALID_REQUEST", "quantity"),
    "duplicate escaped": (b'{"product_id":"A","quantity":1,"quantit\\u0079":2}', "INVALID_REQUEST", "quantity"),
    "duplicate with a colon in a text": (
        b'{"product_id":"A:B","product_id":"C","quantity":1}',
        "INVALID_REQUEST",
        "product_id",
    ),
    "unknown": (b'{"product_id":"A","quantity":1,"colour":"red"}', "INVALID_REQUEST", "colour"),
    "missing": (b'{"product_id":"A"}', "INVALID_REQUEST", "quantity"),
    "text for a number": (b'{"product_id":"A","quantity":"1"}', "INVALID_REQUEST", "quantity"),
    "boolean for a number": (b'{"product_id":"A","quantity":true}', "INVALID_REQUEST", "quantity"),
    "null for a number": (b'{"product_id":"A","quantity":null}', "INVALID_REQUEST", "quantity"),
    "number for a text": (b'{"product_id":7,"quantity":1}', "INVALID_REQUEST", "product_id"),
    "NaN": (b'{"product_id":"A","quantity":NaN}', "INVALID_QUANTITY", "quantity"),
    "Infinity": (b'{"product_id":"A","quantity":Infinity}', "INVALID_QUANTITY", "quantity"),
    "minus Infinity": (b'{"product_id":"A","quantity":-Infinity}', "INVALID_QUANTITY", "quantity"),
    "beyond any exponent": (b'{"product_id":"A","quantity":1e99999999999999999999}', "INVALID_QUANTITY", "quantity"),
    "beyond any digits": (b'{"product_id":"A","quantity":' + b"9" * 5000 + b"}", "INVALID_QUANTITY", "quantity"),
    "NaN elsewhere": (b'{"product_id":"A","quantity":1,"priority":NaN}', "INVALID_REQUEST", "priority"),
    "1e400 elsewhere": (b'{"product_id":"A","quantity":1,"priority":1e400}', "INVALID_REQUEST", "priority"),
    "fraction for a whole": (b'{"product_id":"A","quantity":1,"priority":1.5}', "INVALID_REQUEST", "priority"),
    "empty text": (b'{"product_id":"","quantity":1}', "INVALID_REQUEST", "product_id"),
    "long text": (b'{"product_id":"' + b"x" * 201 + b'","quantity":1}', "INVALID_REQUEST", "product_id"),
    "NUL": (b'{"product_id":"A\\u0000","quantity":1}', "INVALID_REQUEST", "product_id"),
    "newline": (b'{"product_id":"A\\nB","quantity":1}', "INVALID_REQUEST", "product_id"),
    "raw newline": (b'{"product_id":"A\nB","quantity":1}', "INVALID_REQUEST", ""),
    "DEL": (b'{"product_id":"A\x7f","quantity":1}', "INVALID_REQUEST", "product_id"),
    "C1 control": (b'{"product_id":"A\xc2\x85","quantity":1}', "INVALID_REQUEST", "product_id"),
    "lone surrogate": (b'{"product_id":"A\\ud800","quantity":1}', "INVALID_REQUEST", "product_id"),
    "NUL in a name": (b'{"product_id":"A","quantity":1,"x\\u0000":1}', "INVALID_REQUEST", "x\ufffd"),
    "not UTF-8": (b'{"product_id":"\xff","quantity":1}', "INVALID_REQUEST", ""),
    "surrogate bytes": (b'{"product_id":"\xed\xa0\x80","quantity":1}', "INVALID_REQUEST", ""),
    "byte order mark": (b'\xef\xbb\xbf{"product_id":"A","quantity":1}', "INVALID_REQUEST", ""),
    "nested deeply": (b'{"product_id":' + b"[" * 100_000, "INVALID_REQUEST", ""),
    "nested deeply, escaped": (b'{"\\u0041":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "INVALID_REQUEST", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_body_is_refused_and_the_field_named(name: str) -> None:
    raw, code, field = WRONG[name]

    with pytest.raises(Problem) as refused:
        decode(RESERVE, raw)

    assert (refused.value.code, refused.value.numbers.get("field", "")) == (code, field)


def test_a_field_inside_a_list_is_named_by_its_dotted_path() -> None:
    for raw, field in (
        (b'{"location":"M","lines":[{"product_id":"A","quantity":1},{"product_id":"B"}]}', "lines.1.quantity"),
        (b'{"location":"M","lines":[{"product_id":"A","quantity":"1"}]}', "lines.0.quantity"),
        (b'{"location":"M","lines":[{"product_id":"A","quantity":1,"x":1}]}', "lines.0.x"),
        (b'{"location":"M","lines":[{"product_id":"A","quantity":1,"lot_code":"\\u0001"}]}', "lines.0.lot_code"),
    ):
        with pytest.raises(Problem) as refused:
            decode(RECEIPT, raw)
        assert refused.value.numbers["field"] == field


def test_numbers_are_exact() -> None:
    big = 123456789012345678901234567890
    for text, expected in (
        ("3", 3),
        ("3.0", Decimal("3.0")),
        ("0.1", Decimal("0.1")),
        (str(big), big),
        ("1e400", Decimal("1e400")),
    ):
        body = decode(RESERVE, b'{"product_id":"A","quantity":' + text.encode() + b"}")
        assert body.quantity == expected and type(body.quantity) is type(expected)


def test_texts_beyond_ascii_are_taken() -> None:
    for raw in (
        '{"product_id":"Açaí 😀","quantity":1}'.encode(),
        b'{"product_id":"\\u0041\\ud83d\\ude00\\"","quantity":1}',
    ):
        assert decode(RESERVE, raw).quantity == 1


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, duplicates and all."""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(st.text(max_size=3), inner), max_size=4).map(_Pairs),
    max_leaves=12,
)


def _written(value: Any, *, ascii_only: bool) -> str:
    if isinstance(value, _Pairs):
        members = (f"{json.dumps(k, ensure_ascii=ascii_only)}:{_written(v, ascii_only=ascii_only)}" for k, v in value)
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(one, ascii_only=ascii_only) for one in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


def _has_duplicates(text: str) -> bool:
    found = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.append(len(dict(pairs)) != len(pairs))
        return dict(pairs)

    json.loads(text, object_pairs_hook=look)
    return any(found)


ANYTHING: Any = decoder_of(Any)  # type: ignore[arg-type] # any document, so that only strictness speaks


@given(json_values, st.booleans())
def test_duplicate_keys_are_found_exactly(value: Any, ascii_only: bool) -> None:
    text = _written(value, ascii_only=ascii_only)
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    refused = ""
    try:
        decode(ANYTHING, raw)
    except Problem as problem:
        refused = problem.detail

    if _has_duplicates(text):
        assert refused
    else:
        assert "twice" not in refused


def test_the_same_json_written_differently_is_the_same() -> None:
    same = [
        b'{"quantity": 3, "product_id": "A"}',
        b'{"product_id":"A","quantity":3.0}',
        b'{"product_id":"\\u0041","quantity":3e0}',
        b'{"product_id":"A","quantity":0.3E1}',
        b'{"product_id":"A","quantity":300e-2}',
    ]
    other = [
        b'{"product_id":"A","quantity":3.5}',
        b'{"product_id":"A","quantity":30}',
        b'{"product_id":"A","quantity":"3"}',
        b'{"product_id":"A","quantity":3,"priority":null}',
        b'{"product_id":"A","quantity":1e400}',
        b'{"product_id":"A","quantity":-3}',
    ]

    assert len({canonical(raw) for raw in same}) == 1
    assert len({canonical(raw) for raw in (same[0], *other)}) == 1 + len(other)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_a_number_has_one_canonical_form(number: Decimal) -> None:
    written = {f"{number}", f"{number:e}", f"{number}000", f"{number:E}"}

    assert len({canonical(f'{{"n":{text}}}'.encode()) for text in written}) == 1


# Over HTTP ----------------------------------------------------------------------------------------------------------

PATH = "/api/v1/inventory-reservations"


def test_a_wrong_body_is_a_400_over_http(shop: Shop) -> None:
    for name, (raw, code, _) in WRONG.items():
        answer = shop.owner.post(PATH, content=raw)

        assert (name, answer.status, answer.code) == (name, 400, code)


@pytest.mark.parametrize("path", [PATH, "/api/v1/store/inventory/reserve"])
def test_an_impossible_quantity_is_invalid_quantity(shop: Shop, path: str) -> None:
    shop.product("MUG-1", 5)
    for quantity in ("0", "-1", "0.5", "1e400", "1e-400", "1e12", "9" * 40, "1000000000001", "-0.0"):
        content = f'{{"product_id":"MUG-1","quantity":{quantity},"location":"MAIN","order_number":"1"}}'.encode()
        answer = shop.owner.post(path, content=content)
        expected = (409, "INSUFFICIENT_STOCK") if quantity == "1e12" else (400, "INVALID_QUANTITY")
        assert (quantity, answer.status, answer.code) == (quantity, *expected)


def test_a_large_body_is_413_whether_announced_or_not(shop: Shop) -> None:
    large = b'{"product_id":"' + b"x" * 10_000_000 + b'"}'

    announced = shop.owner.post(PATH, content=large)
    unannounced = shop.owner.post(PATH, chunks=[large[i : i + 65536] for i in range(0, len(large), 65536)])
    nobody = shop.anonymous.post(PATH, content=large)

    for answer in (announced, unannounced, nobody):
        assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")


def test_a_batch_may_be_larger(shop: Shop) -> None:
    padding = b" " * 2_000_000

    answer = shop.owner.post(f"{PATH}/batch", content=b'{"operations":[]' + padding + b"}")

    assert (answer.status, answer.json()["field"]) == (400, "operations")


MEDIA_TYPES = (
    ("application/json", 404),
    ("application/json; charset=utf-8", 404),
    ('Application/JSON;charset="UTF-8"', 404),
    ("application/vnd.shop+json", 404),
    ("application/json; charset=latin-1", 415),
    ("text/plain", 415),
    ("application/x-www-form-urlencoded", 415),
    ("", 415),
)


def test_a_body_must_say_that_it_is_json(shop: Shop) -> None:
    for media_type, status in MEDIA_TYPES:
        body = {"product_id": "NONE", "quantity": 1, "order_number": "1"}
        answer = shop.owner.post(PATH, body, headers={"Content-Type": media_type})

        assert (media_type, answer.status) == (media_type, status)


def test_a_missing_body_is_named(shop: Shop) -> None:
    answer = shop.owner.post(PATH)

    assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


QUERIES = (
    ("colour=red", "colour"),
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=ten", "limit"),
    ("limit=5&limit=6", "limit"),
    ("limit=", "limit"),
    ("limit=%2B5", "limit"),
    ("limit=1e1", "limit"),
    ("cursor=nonsense", "cursor"),
    ("cursor=", "cursor"),
    ("status=asleep", "status"),
    ("product=%00", "product"),
    ("product=", "product"),
    ("product=%FF", "query"),
    ("product=" + "x" * 201, "product"),
    ("%00=1", "query"),
)


def test_a_wrong_query_is_refused(shop: Shop) -> None:
    for query, field in QUERIES:
        answer = shop.owner.get(f"{PATH}?{query}")

        assert (query, answer.status, answer.code) == (query, 400, "INVALID_REQUEST")
        assert answer.json()["field"] == field


def test_details_speak_of_json_and_not_of_types_of_python() -> None:
    for raw, detail in (
        (b'{"product_id":null,"quantity":1}', "product_id: Expected text, got null."),
        (b'{"product_id":7,"quantity":1}', "product_id: Expected text, got whole number."),
        (b'{"product_id":[],"quantity":1}', "product_id: Expected text, got list."),
        (b'{"product_id":{},"quantity":1}', "product_id: Expected text, got object."),
        (b'{"product_id":"A","quantity":"1"}', "quantity: Expected number, got text."),
        (b'{"product_id":"A","quantity":true}', "quantity: Expected number, got true/false."),
        (b'{"product_id":"A","quantity":null}', "quantity: Expected number, got null."),
        (b'{"product_id":"A","quantity":1,"override":"yes"}', "override: Expected true/false, got text."),
        (b'{"product_id":"A","quantity":1,"location":7}', "location: Expected text or null, got whole number."),
        (b'{"product_id":"A","quantity":1,"priority":1.5}', "priority: Expected whole number or null, got number."),
        (b"[]", "The body: Expected object, got list."),
    ):
        with pytest.raises(Problem) as refused:
            decode(RESERVE, raw)
        assert refused.value.detail == detail


@pytest.mark.parametrize(
    ("number", "status"),
    [("9" * 400, 400), ("9" * 401, 400), ("0." + "1" * 401, 400), ("1." + "0" * 401, 400), ("1" + "0" * 4_000, 400)],
)
def test_a_number_of_too_many_digits_is_not_read(shop: Shop, number: str, status: int) -> None:
    """What costs the square of its digits is refused before it is read, and says the same as ever."""
    shop.product("MUG-1", 5)
    body = f'{{"product_id": "MUG-1", "quantity": {number}, "order_number": "1"}}'.encode()
    for headers in ({}, {"Idempotency-Key": "k"}):
        answer = shop.owner.post("/api/v1/inventory-reservations", content=body, headers=headers)
        assert (answer.status, answer.code) == (status, "INVALID_QUANTITY")


@pytest.mark.parametrize(
    "digits",
    [
        b"[" + (b"9" * DIGITS_MAX + b",") * 10_400 + b"1]",
        b"[" + (b"9" * DIGITS_MAX + b",") * 10_400 + b"9" * 401 + b"]",
        b'["' + (b"9" * DIGITS_MAX + b",") * 10_400 + b'"]',
        b'["' + b"9" * 4_160_000 + b'"]',
        b'["' + b"9" * 401 + b'" "' + b'\\"' * 2_080_000 + b"\\",
    ],
    ids=["runs", "runs and one too long", "runs in a text", "a text of digits", "quotes and no end"],
)
def test_digits_take_no_longer_than_letters(digits: bytes) -> None:
    """What looks for long numbers looks at each byte a few times, however the digits stand: no square of a run.

    The square took 200 times as long as letters do; a machine that is busy does not come near.
    """

    def seconds(raw: bytes) -> float:
        began = time.process_time()
        with suppress(Problem):
            decode(BATCH, b'{"q":' + raw + b"}")
        return time.process_time() - began

    letters = max(seconds(b'["' + b"a" * 4_160_000 + b'"]'), 0.02)
    assert seconds(digits) < 30 * letters


@given(
    st.lists(st.sampled_from(["\\", '"', "\\\\", '\\"', "9" * 399, "9" * 401, "9", ",", " ", "[", "a"]), max_size=12)
)
def test_a_long_number_is_found_outside_of_texts_alone(pieces: list[str]) -> None:
    """It is found where the slow way finds it: sign by sign, with a text from quote to quote."""
    raw = "".join(pieces)
    outside, inside, escaped = [], False, False
    for sign in raw:
        if escaped:
            escaped = False
        elif inside and sign == "\\":
            escaped = True
        elif sign == '"':
            inside = not inside
            outside.append('"')
        elif not inside:
            outside.append(sign)
    expected = max((len(run) for run in re.findall("[0-9]+", "".join(outside))), default=0) > DIGITS_MAX
    # A backslash outside of a text is no JSON: whatever is found there, the body is refused.
    if "\\" not in "".join(outside):
        assert _has_long_number(_without_texts(raw.encode())) == expected
    assert _has_long_number(raw.encode()) == (max(map(len, re.findall("[0-9]+", raw)), default=0) > DIGITS_MAX)


def test_a_text_may_have_as_many_digits_as_it_likes(shop: Shop) -> None:
    """Only texts that are too long are too long; a quote in a text does not end it, and no body is read twice over."""
    for title in ("8" * 180, '\\"' + "8" * 150, "8" * 500):
        body = f'{{"sku": "A-{len(title)}", "title": "{title}"}}'.encode()
        answer = shop.owner.post("/api/v1/products", content=body)
        assert answer.status == (201 if len(title) <= 200 else 400), answer
        if answer.status == 400:
            assert answer.json()["field"] == "title"
    torn = b'{"title": "' + b'\\"' * 400_000 + b"1" * 500
    assert shop.owner.post("/api/v1/products", content=torn).code == "INVALID_REQUEST"
