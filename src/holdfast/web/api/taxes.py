"""Tax rates over HTTP: what a tax class costs, in the organisation or in one store.

    POST /api/v1/tax-rates {"tax_class": "standard", "rate": "0.15"}                        -> 15 percent everywhere
    POST /api/v1/tax-rates {"tax_class": "standard", "rate": "0.2", "store_id": "EAST"}     -> but 20 in EAST

A product names its class (`tax_class`); without one it is untaxed. What was sold keeps the rate it was sold at.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.access import Permission
from holdfast.core.organisation.settings import AddTaxRate, ChangeTaxRate, RemoveTaxRate, TaxRateChanges
from holdfast.core.records.command import Command, given
from holdfast.core.records.organisation import TaxRate
from holdfast.core.records.rejection import Code
from holdfast.db.queries.tax_rates import tax_rate_fields
from holdfast.reports import Reports
from holdfast.web.api.records import require_store
from holdfast.web.http.problems import Problem
from holdfast.web.http.route import PAGED, STORE, Call, Pages, PlannedCommand, Route, encode, found


class TaxRateDocument(msgspec.Struct):
    """A tax rate."""

    id: str
    tax_class: str
    rate: str
    store_id: str | None
    name: str | None
    active: bool
    created_at: str
    updated_at: str


def _render(rate: TaxRate) -> bytes:
    return encode(tax_rate_fields(rate))


def _with_store(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with the store's id."""
    inside = dict(fields)
    if inside.get("store_id") is not None:
        name = inside["store_id"]
        store = found(call.shop.reports.store(call.actor.org_id, name), Code.STORE_NOT_FOUND, "Store", name)
        inside["store_id"] = store["id"]
    if "store_id" in inside:
        _require_own(call, inside["store_id"])
    return inside


def _require_own(call: Call, store_id: str | None) -> None:
    """Who is limited to stores sets the rates of those alone."""
    if store_id is not None:
        require_store(call, store_id)
    elif call.stores is not None:
        raise Problem("FORBIDDEN", "This is about all stores; you are assigned to some.")


def _rate(call: Call, stores: frozenset[str] | None = None) -> dict[str, Any]:
    """The path's tax rate, if it is the organisation's or of the stores (None: of any)."""
    rate_id = call.id(Code.NOT_FOUND, "Tax rate")
    rate: dict[str, Any] = found(
        call.shop.reports.tax_rate(call.actor.org_id, rate_id, stores=stores), Code.NOT_FOUND, "Tax rate", rate_id
    )
    return rate


def _own_rate(call: Call) -> dict[str, Any]:
    """The path's tax rate, to change: 403 when it is another store's, or the organisation's and the caller is not."""
    rate = _rate(call)
    _require_own(call, rate["store_id"])
    return rate


def plan_add(call: Call) -> PlannedCommand:
    """Make a tax rate."""
    return PlannedCommand(AddTaxRate(**_with_store(call, msgspec.structs.asdict(call.body))), _render)


def plan_change(call: Call) -> PlannedCommand:
    """Change a tax rate."""
    old = _own_rate(call)
    return PlannedCommand(ChangeTaxRate(old["id"], **_with_store(call, given(call.body))), _render)


def plan_remove(call: Call) -> Command:
    """Remove a tax rate."""
    return RemoveTaxRate(_own_rate(call)["id"])


def read_rate(call: Call) -> Any:
    """A tax rate."""
    return _rate(call, call.stores)


_PATH = "/api/v1/tax-rates"
_TAG = "Tax rates"
_CODES = (Code.STORE_NOT_FOUND, Code.ALREADY_EXISTS)
_MISSING = (Code.NOT_FOUND,)

ROUTES = (
    Route(
        method="POST",
        path=_PATH,
        summary="Make a tax rate",
        about="A class has one rate in a store, and one in the organisation for the stores without their own.",
        tag=_TAG,
        permission=Permission.MANAGE,
        plan=plan_add,
        body=AddTaxRate,
        answer=TaxRateDocument,
        status=201,
        codes=_CODES,
        example={"tax_class": "standard", "rate": "0.15", "name": "VAT"},
        looks_up=True,
    ),
    Route(
        method="GET",
        path=_PATH,
        summary="List tax rates",
        tag=_TAG,
        permission=Permission.READ,
        answer_with=Pages(Reports.tax_rates),
        answer=[TaxRateDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path=f"{_PATH}/{{id}}",
        summary="Read a tax rate",
        tag=_TAG,
        permission=Permission.READ,
        answer_with=read_rate,
        answer=TaxRateDocument,
        codes=_MISSING,
    ),
    Route(
        method="PATCH",
        path=f"{_PATH}/{{id}}",
        summary="Change a tax rate",
        about="Unfinished sales are shown and paid by the new rate; what was sold stands.",
        tag=_TAG,
        permission=Permission.MANAGE,
        plan=plan_change,
        body=TaxRateChanges,
        answer=TaxRateDocument,
        codes=(*_MISSING, *_CODES),
        example={"rate": "0.16"},
        looks_up=True,
    ),
    Route(
        method="DELETE",
        path=f"{_PATH}/{{id}}",
        summary="Remove a tax rate",
        tag=_TAG,
        permission=Permission.MANAGE,
        plan=plan_remove,
        status=204,
        codes=_MISSING,
        looks_up=True,
    ),
)
