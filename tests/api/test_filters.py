"""A filter is written once: its Struct is the query string, and what the reports take (decision 0036)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from holdfast.core.records.time import instant_of
from holdfast.db.queries.books import AsOfFilter, JournalFilter
from holdfast.db.queries.filters import EVERYTHING, Everything, Filter
from holdfast.db.queries.ledger import LedgerFilter
from holdfast.db.queries.levels import LevelFilter, LowStockFilter
from holdfast.db.queries.lots import LotFilter
from holdfast.db.queries.products import ProductFilter
from holdfast.db.queries.reservations import ReservationFilter
from holdfast.db.queries.sales import SaleFilter
from holdfast.reports import Listing, Reports
from holdfast.web.api import ROUTES
from holdfast.web.api.inventory import StoreLevelFilter
from holdfast.web.http.problems import Problem
from holdfast.web.http.query_string import filter_of, parameters_of, values_of
from holdfast.web.http.route import Endpoint, Pages
from tests.api.conftest import Shop

FOR_PROGRAMS = {
    "JournalFilter": {"ref_ids"},
    "LevelFilter": {"products", "state", "store"},
    "LocationFilter": {"store"},
    "LowStockFilter": {"store"},
    "ReservationFilter": {"reserved_for_id"},
    "StoreLevelFilter": {"products", "state", "store"},
    "WithinFilter": {"within"},
}
"""Fields of filters that are no parameter of a query string, by the filter."""

NOON = instant_of("2031-01-31T12:00:00Z")


def filters() -> Iterator[type[Filter]]:
    """Every filter that a list or a route has."""
    found = {vars(Reports)[name].filter_type for name in vars(Reports) if isinstance(vars(Reports)[name], Listing)}
    yield from sorted(found | {route.filter_type for route in ROUTES}, key=lambda one: one.__name__)


def test_a_field_that_is_no_parameter_is_meant_to_be_none() -> None:
    """A field without a description is not asked for over HTTP: whoever forgets the description fails here."""
    hidden = {}
    for one in filters():
        fields = {field.name for field in msgspec.structs.fields(one)} - {each.field for each in parameters_of(one)}
        if fields:
            hidden[one.__name__] = fields

    assert hidden == FOR_PROGRAMS


def test_a_list_is_narrowed_by_its_own_filter() -> None:
    """A route decodes the filter that its list takes, or one that says less."""
    lists = [route for route in ROUTES if isinstance(route.answer_with, Pages)]

    assert len(lists) > 10
    assert [
        route.name
        for route in lists
        if isinstance(route.answer_with, Pages)
        and not issubclass(route.filter_type, route.answer_with.listing.filter_type)
    ] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", SaleFilter()),
        (b"status=open&source=shopify&limit=5", SaleFilter(status="open", source="shopify")),
        (b"product=MUG-1&lot_id=x&cursor=abc", ReservationFilter(product="MUG-1", lot_id="x")),
        (b"from=2031-01-31T12:00:00Z&ref_type=SALE", LedgerFilter(from_=NOON, ref_type="SALE")),
        (b"to=2031-01-31T13:00:00%2B01:00", JournalFilter(to=NOON)),
        (b"in_stock=1", LotFilter(in_stock=True)),
        (b"active=false", ProductFilter(active=False)),
        (b"low_stock=true", LevelFilter(low_stock=True)),
        (b"low_stock=0", LevelFilter(low_stock=0)),
        (b"low_stock=true", StoreLevelFilter(low_stock=True)),
        (b"threshold=2.5", LowStockFilter(threshold=Decimal("2.5"))),
        (b"as_of=2031-01-31", AsOfFilter(as_of="2031-01-31")),
        (b"as_of=2031-01-31T12:00:00Z", AsOfFilter(as_of=NOON)),
    ],
)
def test_a_query_string_is_its_filter(query: bytes, expected: Filter) -> None:
    """What is asked for over HTTP is what a program asks the reports for."""
    route = next(route for route in ROUTES if route.filter_type is type(expected))
    endpoint = Endpoint(route)

    assert endpoint.filter(endpoint.query(query)) == expected


@pytest.mark.parametrize(
    ("kind", "query", "words"),
    [
        (StoreLevelFilter, b"low_stock=3", "must be true or false."),
        (LevelFilter, b"low_stock=-1", "must be true, false, or a threshold: a whole number of 0 or more."),
        (LowStockFilter, b"threshold=-1", "must be a number of at most 4 places, 0 or more."),
        (AsOfFilter, b"as_of=soon", "must be a day, as 2030-01-31, or an instant, as 2030-01-31T12:00:00Z."),
        (LedgerFilter, b"from=2031-01-31", "must be an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z."),
        (SaleFilter, b"status=closed", "must be one of open, suspended, completed, cancelled."),
        (SaleFilter, b"from_=1", "is not a known parameter."),
        (LevelFilter, b"store=MAIN", "is not a known parameter."),
    ],
)
def test_a_query_string_says_what_is_wrong(kind: type[Filter], query: bytes, words: str) -> None:
    """The words name the parameter, and what it may be."""
    parameters = {one.name: one for one in parameters_of(kind)}

    with pytest.raises(Problem) as refused:
        values_of(parameters, query)

    assert words in refused.value.detail


def test_a_new_filter_needs_nothing_else() -> None:
    """The Struct alone makes the parameters and is made of them."""

    class ShelfFilter(Filter, frozen=True, kw_only=True):
        colour: Annotated[str | None, Meta(description="Only of this colour.")] = None
        to: Annotated[int | None, Meta(description="Up to this number.")] = msgspec.field(default=None, name="until")
        place: str = "MAIN"

    parameters = {one.name: one for one in parameters_of(ShelfFilter)}
    values = values_of(parameters, b"until=7")

    assert [(one.name, one.kind, one.about) for one in parameters.values()] == [
        ("colour", "text", "Only of this colour."),
        ("until", "integer", "Up to this number."),
    ]
    assert filter_of(ShelfFilter, parameters, values) == ShelfFilter(to=7)


def test_reports_take_the_filter_or_its_fields(shop: Shop) -> None:
    """A program gives the Struct, which its type checker knows, or the fields by name; not both, and no others."""
    reports, org_id = shop.holdfast.reports, shop.made.org_id
    read: Any = reports.levels

    assert reports.levels(org_id, LevelFilter(low_stock=True)) == reports.levels(org_id, low_stock=True)
    with pytest.raises(TypeError, match="colour"):
        read(org_id, colour="red")
    with pytest.raises(AssertionError, match="not both"):
        read(org_id, LevelFilter(), product="MUG-1")
    assert Reports.stores.filter_type is Everything and Everything() == EVERYTHING
