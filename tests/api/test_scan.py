"""Scans: vectors that another program has read (`tests/oracles`), and what they mean in a shop."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.web.api.barcode import read_code
from tests.api.conftest import Shop
from tests.oracles import oracle


def test_every_vector_is_read_as_it_should_be() -> None:
    for vector in oracle("scan_vectors")["vectors"]:
        scan = read_code(vector["raw"])
        if not vector["valid"]:
            assert scan is None, vector["desc"]
            continue
        assert scan is not None, vector["desc"]
        expected = vector["expect"]
        if "gtin14" in expected:
            assert scan.gtin is not None and scan.gtin.rjust(14, "0") == expected["gtin14"], vector["desc"]
        for name, field in (
            ("expiry", "expires_at"), ("lot", "lot_code"), ("serial", "serial"), ("count", "count"), ("sscc", "sscc"),
        ):  # fmt: skip
            assert getattr(scan, field) == expected.get(name), vector["desc"]
        if "rcn" in expected or "WRONG" in vector["note"]:
            assert scan.warnings, vector["desc"]


@pytest.mark.parametrize(
    ("code", "field", "value"),
    [
        ("01095060001343521726020010A", "expires_at", "2026-02-28"),
        ("01095060001343521528020010A", "best_before", "2028-02-29"),
        ("]E09506000134352", "gtin", "9506000134352"),
        ("0109506000134352", "gtin", "09506000134352"),
        ("0109506000134353", "sku", "0109506000134353"),
        ("]C1010950600013435230120\x1d10X", "count", 120),
        ("]d20109506000134352{GS}10a-B", "lot_code", "a-B"),
        ("9506000134352\r\n", "gtin", "9506000134352"),
        ("MUG-1", "sku", "MUG-1"),
        ("9506000134353", "sku", "9506000134353"),
        ("]", "sku", "]"),
        ("]C", "sku", "]C"),
        ("]C0MUG-1", "sku", "MUG-1"),
        ("]I109506000134352", "gtin", "09506000134352"),
        ("]E0950600013435212", "gtin", None),
        ("]E3950600013435212", "gtin", "9506000134352"),
        ("(MUG)", "sku", "(MUG)"),
        ("0109506000134352310300275010LOT", "quantity", 2.75),
        ("0109506000134352310300275010LOT", "lot_code", "LOT"),
        ("]e001095060001343523100000003", "quantity", 3),
        ("]C10109506000134352320200125015270101", "quantity", 12.5),
        ("]C10109506000134352320200125015270101", "unit", "lb"),
        ("0109506000134352316500000115270101", "quantity", 0.00001),
        ("01095060001343523922999\x1d10A", "amount", "9.99"),
        ("01095060001343523939978" + "12\x1d10A", "amount", "0.000000012"),
        ("0109506000134352393297812345", "currency", "978"),
        ("0209506000134352" + "3724\x1d10B7", "count", 24),
        ("(00)095060001234567893(02)09506000134352(37)48", "count", 48),
        ("(00)095060001234567893(02)09506000134352(37)48", "sscc", "095060001234567893"),
        ("https://id.gs1.org/01/09506000134352/10/ABC?17=261231", "lot_code", "ABC"),
        ("https://id.gs1.org/01/09506000134352/10/ABC?17=261231", "expires_at", "2026-12-31"),
        ("HTTPS://ID.GS1.ORG/01/9506000134352", "gtin", "09506000134352"),
        ("https://shop.example/de/p/01/09506000134352/21/S%2F1/?3103=002750&linkType=all", "quantity", 2.75),
        ("https://shop.example/de/p/01/09506000134352/21/S%2F1/?3103=002750&linkType=all", "serial", "S/1"),
        ("]Q1https://id.gs1.org/01/09506000134352", "gtin", "09506000134352"),
        ("https://shop.example/sale", "sku", "https://shop.example/sale"),
    ],
)
def test_details(code: str, field: str, value: object) -> None:
    scan = read_code(code)

    if value is None:
        assert scan is None
    else:
        assert scan is not None and getattr(scan, field) == value


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("010950600013435211261231", "AI 11 (PROD DATE) was read and not used: 261231"),
        ("010950600013435231030027503202060627", "net weight 606.27"),
        ("01095060001343523120000100", "width 100 m"),
        ("01095060001343523103000000", "net weight 0.000 kg"),
        ("0109506000134352" + "3012\x1d3724", "AI 37 (COUNT) was read and not used: 24"),
        ("010950600013435210A\x1d10B", "AI 10 (BATCH/LOT) came twice: A is used, B is not"),
        ("(01)09506000134352(02)04006381333931(37)3", "AI 02 (CONTENT) was read and not used"),
        ("(02)09506000134352(10)A", "How many it contains"),
        ("010950600013435310A", "The check digit of 09506000134353 is wrong"),
        ("0102112345012353" + "10A", "store-internal"),
        ("]E3950600013435212", "supplement"),
    ],
)
def test_what_is_read_and_not_used_is_a_warning(code: str, word: str) -> None:
    scan = read_code(code)

    assert scan is not None and any(word in warning for warning in scan.warnings), scan


PREFIXES = st.sampled_from(
    ["", "]", "]C1", "]e0", "]d2", "]Q3", "]E0", "]E3", "]E4", "]J1", "]I1", "]C0", "]d1", "]Z9"]
)
ELEMENTS = st.sampled_from(
    [
        "0109506000134352", "0209506000134352", "00095060001234567893", "10LOT", "\x1d", "\u241d", "17261231",
        "17260200",
        "15991332", "21S", "3024", "3700000001", "3103002750", "3109999999", "3299000001", "3925", "39299", "3932978",
        "39399781", "3950", "11261231", "8005000100", "(01)", "(3103)", "http://", "https://x/01/09506000134352/",
        "?17=",
        "/10/", "%", "\ud800", "\x00", "٣", "é",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(prefix=PREFIXES, parts=st.lists(ELEMENTS | st.text(max_size=8), max_size=8))
@example(prefix="]", parts=[])
def test_no_text_breaks_the_reader(prefix: str, parts: list[str]) -> None:
    scan = read_code(prefix + "".join(parts))

    assert scan is None or any((scan.gtin, scan.sku, scan.sscc, scan.lot_code, scan.serial, scan.count, scan.warnings,
                                scan.expires_at, scan.best_before, scan.quantity, scan.amount)), scan  # fmt: skip


@pytest.mark.parametrize("code", ["", "\x1d", "\x00", "(01)123", "]d2xx", "01095060001343521726133110A"])
def test_what_cannot_be_read_is_refused(code: str) -> None:
    assert read_code(code) is None


def test_a_scan_finds_the_product(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("MUG-1", gtin="9506000134352")
    shop.product("4006381333931")

    def scan(code: str) -> Any:
        return shop.owner.get(f"/api/v1/scan?code={quote(code)}")

    full = scan("]d2010950600013435210LOT-42\x1d1726123121SN9\x1d3724").json()
    assert full["sku"] == "MUG-1"
    assert (full["lot_code"], full["expires_at"], full["serial"], full["count"]) == ("LOT-42", "2026-12-31", "SN9", 24)
    assert [scan(code).json()["sku"] for code in ("9506000134352", "09506000134352", "MUG-1")] == ["MUG-1"] * 3
    assert scan("4006381333931").json()["sku"] == "4006381333931"
    assert scan("0109506000134352").json()["sku"] == "MUG-1"
    shop.product("0109506000134352")
    assert scan("0109506000134352").json()["sku"] == "0109506000134352"
    unknown = scan("01040063813339311726123110B7")
    assert (unknown.status, unknown.code, unknown.json()["lot_code"]) == (404, "PRODUCT_NOT_FOUND", "B7")
    for code in ("010950600013435210AAAAAAAAAAAAAAAAAAAAA", "\x00"):
        assert (scan(code).status, scan(code).json()["field"]) == (400, "code")
    assert shop.owner.get("/api/v1/scan").json()["field"] == "code"


def test_a_scan_says_the_weight_and_the_amount(any_shop: Shop) -> None:
    shop = any_shop
    shop.product("CHEESE", gtin="9506000134352", precision=3)
    shop.product("BOX", gtin="04006381333931")

    def scan(code: str) -> Any:
        reply = shop.owner.get(f"/api/v1/scan?code={quote(code)}")
        assert reply.status == 200, reply.json()
        return reply.json()

    weighed = scan("0109506000134352310300275010LOT")
    assert (weighed["sku"], weighed["lot_code"], weighed["quantity"], weighed["unit"]) == ("CHEESE", "LOT", 2.75, "kg")
    assert (weighed["precision"], weighed["amount"], weighed["warnings"]) == (3, None, [])
    fine = scan("01095060001343523105000001")
    assert fine["quantity"] == 0.00001 and "does not fit CHEESE" in fine["warnings"][0]
    assert "whole units" in scan("01040063813339313103002750")["warnings"][0]
    assert scan("01095060001343523921125")["amount"] == "12.50"
    assert scan("01095060001343523932840" + "999")["amount"] == "9.99"
    foreign = scan("01095060001343523932978" + "999")
    assert foreign["amount"] is None and "in EUR, not in USD" in foreign["warnings"][0]
    assert "no amount of USD" in scan("01095060001343523923" + "12345")["warnings"][0]
    pallet = scan("0204006381333931" + "3748")
    assert (pallet["sku"], pallet["gtin"], pallet["count"], pallet["warnings"]) == ("BOX", "04006381333931", 48, [])
    link = scan("https://id.gs1.org/01/09506000134352/10/ABC?3103=000500")
    assert (link["sku"], link["lot_code"], link["quantity"]) == ("CHEESE", "ABC", 0.5)


@pytest.mark.parametrize(
    "code", ["]", "]C1", "]e0", "]d2", "]Q3", "]E0", "]C1]", "\x1d", "]Q3\x1d", "(01)", "https://", "]\x00"]
)
def test_garbage_is_refused_in_words(shop: Shop, code: str) -> None:
    reply = shop.owner.get(f"/api/v1/scan?code={quote(code)}")

    assert (reply.status, reply.code) in ((400, "INVALID_REQUEST"), (404, "PRODUCT_NOT_FOUND")), reply.json()
