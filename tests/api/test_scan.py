"""Scans: the vectors of the shared data, and what they mean in a shop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from holdfast.web.api.scan import read_code
from tests.api.conftest import Shop

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "gs1" / "scan_vectors" / "1.json"


def _vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.skip("the GS1 vectors (../shared/data/gs1) are not here")
    vectors: list[dict[str, Any]] = json.loads(VECTORS.read_text())["vectors"]
    return vectors


def test_every_vector_is_read_as_it_should_be() -> None:
    for vector in _vectors():
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
    ],
)
def test_details(code: str, field: str, value: object) -> None:
    scan = read_code(code)

    assert scan is not None and getattr(scan, field) == value


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
