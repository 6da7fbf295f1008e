"""One word at every door: what Python is refused, HTTP is refused with the same code and the same words.

And a look at every command there is: each of its fields is given what it cannot be. Whatever the answer, it is an
answer, and everything can still be read afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from holdfast.check import check
from holdfast.core.decide import DECISIONS, CommandGroup
from holdfast.core.organisation.places import AddLocation, AddStore, ChangeLocation
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.organisation.settings import AddRegister, AddTaxRate, ChangeSettings
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.appointments import ChangeAppointment
from holdfast.web.api import ROUTES
from tests.api.conftest import Shop

NIL = "01890000-0000-7000-8000-000000000000"
V1 = "/api/v1"


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        (AddProduct("A", price="abc"), "POST", "/products", {"sku": "A", "price": "abc"}),
        (AddProduct("A", price="1.001"), "POST", "/products", {"sku": "A", "price": "1.001"}),
        (AddProduct("A", gtin="12"), "POST", "/products", {"sku": "A", "gtin": "12"}),
        (AddProduct(NIL), "POST", "/products", {"sku": NIL}),
        (AddProduct("A\u200b"), "POST", "/products", {"sku": "A\u200b"}),
        (AddProduct("A\x07"), "POST", "/products", {"sku": "A\x07"}),
        (AddProduct("A" * 201), "POST", "/products", {"sku": "A" * 201}),
        (AddProduct("A", reorder_point=Decimal("0.5")), "POST", "/products", {"sku": "A", "reorder_point": 0.5}),
        (AddProduct("A", reorder_point="5"), "POST", "/products", {"sku": "A", "reorder_point": "5"}),  # type: ignore[arg-type]
        (AddProduct("A", kind="phyiscal"), "POST", "/products", {"sku": "A", "kind": "phyiscal"}),  # type: ignore[arg-type]
        (AddProduct("A", precision=True), "POST", "/products", {"sku": "A", "precision": True}),
        (AddProduct("MUG-1"), "POST", "/products", {"sku": "MUG-1"}),
        (ChangeProduct("MUG-1", price="-1"), "PATCH", "/products/MUG-1", {"price": "-1"}),
        (ChangeProduct("GHOST", price="-1"), "PATCH", "/products/GHOST", {"price": "-1"}),
        (ChangeProduct("MUG-1", precision=0), "PATCH", "/products/MUG-1", {"precision": 0}),
        (AddStore("a b"), "POST", "/stores", {"code": "a b"}),
        (AddStore("W", timezone="Mars"), "POST", "/stores", {"code": "W", "timezone": "Mars"}),
        (AddLocation("MAIN", "MAIN"), "POST", "/locations", {"code": "MAIN", "store_id": "MAIN"}),
        (AddLocation("B", "GHOST"), "POST", "/locations", {"code": "B", "store_id": "GHOST"}),
        (
            ChangeLocation("MAIN", reorder_points={"GHOST": 1}),
            "PATCH",
            "/locations/MAIN",
            {"reorder_points": {"GHOST": 1}},
        ),
        (ChangeSettings(currency="XXY"), "PATCH", "/settings", {"currency": "XXY"}),
        (ChangeSettings(cash_rounding="0.001"), "PATCH", "/settings", {"cash_rounding": "0.001"}),
        (AddTaxRate("food", "15"), "POST", "/tax-rates", {"tax_class": "food", "rate": "15"}),
        (AddRegister("MAIN", "till 1"), "POST", "/registers", {"store_id": "MAIN", "code": "till 1"}),
        (ChangeAppointment(NIL, status="compelted"), "PATCH", f"/appointments/{NIL}", {"status": "compelted"}),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_both_doors_say_the_same(shop: Shop, command: Any, method: str, path: str, body: dict[str, Any]) -> None:
    shop.owner.post(f"{V1}/products", {"sku": "MUG-1", "precision": 2, "reorder_point": 0.25})
    here = shop.holdfast.do(shop.made.actor, command).answer
    assert isinstance(here, Rejected), here

    there = shop.owner.request(method, V1 + path, body).json()

    assert (there["code"], there["detail"]) == (str(here.code), here.detail)
    assert there.get("field") == here.numbers.get("field")


# Every command, every field ------------------------------------------------------------------------------------------

WRONG: list[Any] = [
    None, True, 7, -1, 10**30, 0.5, float("nan"), Decimal("NaN"), Decimal("1e400"), Decimal("0.333"), "", "x" * 300,
    "compelted", "a\x00b", "a\ud800", "a\u200bb", "12,50", b"x", [], (), {}, {"a": object()}, object(), ["x"],
]  # fmt: skip
NAMED = {
    "product": "MUG-1", "product_id": "MUG-1", "location": "MAIN", "location_id": "SIDE", "from_location": "MAIN",
    "to_location": "SIDE", "store_id": "MAIN", "code": "NEW-1", "sku": "NEW-1", "amount": "1.00", "rate": "0.15",
    "email": "bo@shop.example", "password_hash": "$argon2id$x", "key_hash": "0" * 64, "token_hash": "0" * 64,
    "through": "2020-01-31", "opening_float": "10.00", "counted_cash": "10.00", "unit_price": "1.00",
}  # fmt: skip


def _sample(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Values for the fields that a Struct must have."""
    hints = get_type_hints(kind)
    return {
        field.name: NAMED.get(field.name, _value(hints[field.name]))
        for field in msgspec.structs.fields(kind)
        if field.required or _structs(hints[field.name])
    }


def _value(hint: Any) -> Any:
    inner = _structs(hint)
    if inner:
        value = inner[0](**_sample(inner[0]))
        return (value,) if tuple in (get_origin(hint), *map(get_origin, get_args(hint))) else value
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is tuple:
        return ()
    return {str: NIL, bool: False, int: 1}.get(hint, 1)


def _structs(hint: Any) -> list[type[msgspec.Struct]]:
    if get_origin(hint) in (Union, UnionType, tuple):
        return [one for part in get_args(hint) for one in _structs(part)]
    return [hint] if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else []


def _spoilt(kind: type[msgspec.Struct], wrong: list[Any]) -> Iterator[msgspec.Struct]:
    """The Struct with one field after another, its own and those of the Structs in it, given what it cannot be."""
    sample = _sample(kind)
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        for value in wrong:
            yield kind(**{**sample, field.name: value})
        for inner in _structs(hints[field.name]):
            for part in _spoilt(inner, wrong):
                in_tuple = isinstance(sample[field.name], tuple)
                yield kind(**{**sample, field.name: (part,) if in_tuple else part})


def _commands() -> list[tuple[Any, Any]]:
    """Every spoilt command; those that take away or close what the others need come last."""
    kinds = sorted(DECISIONS, key=lambda kind: kind.__name__.startswith(("Remove", "Close", "ChangeSettings")))
    return [(kind, command) for kind in kinds if kind is not CommandGroup for command in _spoilt(kind, WRONG)]


def test_no_command_and_no_field_takes_what_it_cannot_be(shop: Shop) -> None:
    shop.product("MUG-1", 20, price="10.00")
    shop.owner.post(f"{V1}/locations", {"code": "SIDE"})
    commands = _commands()
    assert len(commands) > 3000, "every field of every command"
    futures = [shop.holdfast.submit(shop.made.actor, command) for _, command in commands]
    refused = 0
    for (kind, command), future in zip(commands, futures, strict=True):
        try:
            refused += isinstance(future.result().answer, Rejected)
        except Exception as error:  # noqa: BLE001 - whichever it is, the test names the command
            pytest.fail(f"{kind.__name__}: {command!r}: {error!r}")
    assert 0 < refused < len(commands)
    assert not isinstance(shop.holdfast.do(shop.made.actor, ChangeSettings(api_rate_limit=None)).answer, Rejected)

    for route in ROUTES:
        of_person = route.path.startswith("/api/v1/me/")  # a key is none
        if route.method == "GET" and "{" not in route.path and not (route.till or route.stream or of_person):
            answer = shop.owner.get(route.path, headers={"Accept": "application/json"})
            assert answer.status in (200, 400), (route.path, answer)  # 400: a parameter is required
    assert check(shop.holdfast.database).mismatches == []
