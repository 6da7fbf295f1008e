"""What the stock is worth, lot by lot, now and as of a past day or instant (docs/how-to/books.md).

    valuation(connection, catalog, AsOfFilter(), part)                      -> {total, items: [{lot_code, value, ...}]}
    valuation(connection, catalog, AsOfFilter(as_of="2031-01-31"), part)    -> as it was at the end of that day

Stock as of an instant is what lies there now, less what has moved since, a page of lots at a time: what was sold out
before that instant costs nothing. A day means what was there when the first movement was posted on a later one: where a
day was closed early, business went on and posted on the next. What had expired by the instant lay in quarantine,
whenever it was moved there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import from_minor
from holdfast.core.records.time import end_of_day
from holdfast.core.stock.journal import INVENTORY
from holdfast.db import schema
from holdfast.db.exact_sum import exact_sum
from holdfast.db.queries import lots
from holdfast.db.queries.as_of import given_rows
from holdfast.db.queries.begun import ids_of_levels
from holdfast.db.queries.books import AsOf, AsOfFilter, as_of_text, sums_of
from holdfast.db.queries.catalog import products_of
from holdfast.db.queries.ledger import SKEW, id_floor
from holdfast.db.queries.paging import NO_ID, SCAN_MAX, Json, Page, Part, bounded, decode_cursor, encode_cursor
from holdfast.db.queries.reservations import lots_of
from holdfast.db.queries.settled import corners_of
from holdfast.db.upkeep.day_ends import SLACK

_posting, _period = schema.posting.c, schema.period.c
_ledger, _stock, _lot = schema.ledger.c, schema.lot_stock.c, schema.lot.c

LOTS_CHUNK = 500
"""Lots at locations whose past is looked up at once, and the rest of the last of those lots."""


def valuation(connection: sa.Connection, catalog: Catalog, filters: AsOfFilter, part: Part) -> Json:
    """`{as_of, total, items, next_cursor}`: what lots at locations are worth, newest lot first.

    `total` is of all of them: the inventory account (that the two are the same is what `holdfast check` proves).
    """
    as_of = filters.as_of
    posted = sums_of(connection, catalog, [INVENTORY], as_of)[INVENTORY]
    total = posted.debit - posted.credit
    if as_of is None:
        page = lots.listed(
            connection, catalog, lots.LotFilter(in_stock=True), msgspec.structs.replace(part, stores=None)
        )
        items = [{"lot_id": row["id"], **{name: row[name] for name in _SHOWN}} for row in page.items]
        return _valued(catalog, as_of, total, Page(items, page.next_cursor))
    moments = _last_moments(connection, catalog, as_of) if isinstance(as_of, str) else {}
    moment = _Moment(as_of) if isinstance(as_of, int) else max(moments.values(), default=_Moment(0))
    page = _lots_at(connection, catalog, moment, moments, part.cursor, bounded(part.limit))
    return _valued(catalog, as_of, total, page)


class _Moment(NamedTuple):
    """A place in the ledger: what was moved before `at`, and of what was moved at it the entries up to `id`."""

    at: int
    id: str = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def _last_moments(connection: sa.Connection, catalog: Catalog, day: str) -> dict[str, _Moment]:
    """The last moment of a day by location: stores in several time zones end it at several instants.

    With one time zone it is read from what was posted (`_last_moment`), else from the calendar of each store and the
    first close of the day. Goods that were sold in the name of another store may then be on the other side of midnight.
    """
    zones = {store.timezone for store in catalog.stores.values()}
    if len(zones) == 1:
        return dict.fromkeys(catalog.locations, _last_moment(connection, catalog, day))
    closes = sa.select(_period.created_at).where(_period.org_id == catalog.settings.id, _period.id >= day)
    closed = connection.execute(closes.order_by(_period.id).limit(1)).scalar()
    ends = {zone: _Moment(end_of_day(day, zone) - 1) for zone in zones}
    if closed is not None:
        early = _before_close(connection, catalog, day, int(closed))
        ends = {zone: min(moment, early) for zone, moment in ends.items()}
    return {place.id: ends[catalog.timezone_of(place)] for place in catalog.locations.values()}


def _before_close(connection: sa.Connection, catalog: Catalog, day: str, closed: int) -> _Moment:
    """The moment of a close: of what was posted at its very instant, what was posted on the day came before it."""
    own = (_posting.org_id == catalog.settings.id, _posting.account == INVENTORY, _posting.at == closed)
    beside = sa.select(_posting.entry_id).where(*own, _posting.day <= day)
    before = connection.execute(beside.order_by(_posting.entry_id.desc()).limit(1)).scalar()
    return _Moment(closed - 1) if before is None else _Moment(closed, str(before))


def _last_moment(connection: sa.Connection, catalog: Catalog, day: str) -> _Moment:
    """The moment before the first movement that was posted on a later day than `day`; its midnight where none was.

    It lies before midnight when the day was closed early (`journal.open_day`), and away from what is midnight now when
    the organisation moved to another time zone. A batch has one instant: where the close is in the middle of it, ids
    tell what came before. (A move to the west lets days run backwards for some hours: of such a day no moment is
    right. The total always is: it is what was posted.)
    """
    own = (_posting.org_id == catalog.settings.id, _posting.account == INVENTORY)
    midnight = end_of_day(day, catalog.settings.timezone) - 1
    still = sa.select(_posting.at).where(*own, _posting.at > midnight, _posting.at < midnight + SLACK)
    last = connection.execute(still.where(_posting.day <= day).order_by(_posting.at.desc()).limit(1)).scalar()
    end = midnight if last is None else int(last)
    later = sa.select(_posting.at).where(*own, _posting.at > midnight - SLACK, _posting.at <= end, _posting.day > day)
    first = connection.execute(later.order_by(_posting.at).limit(1)).scalar()
    if first is None:
        return _Moment(end)
    beside = sa.select(_posting.entry_id).where(*own, _posting.at == first, _posting.day <= day)
    before = connection.execute(beside.order_by(_posting.entry_id.desc()).limit(1)).scalar()
    return _Moment(int(first) - 1) if before is None else _Moment(int(first), str(before))


_SHOWN = ("lot_code", "product_id", "sku", "location", "on_hand", "value")


def _valued(catalog: Catalog, as_of: AsOf, total: int, page: Page) -> Json:
    return {
        "as_of": as_of_text(as_of),
        "total": from_minor(total, catalog.settings.minor_digits),
        "items": page.items,
        "next_cursor": page.next_cursor,
    }


class _Past(NamedTuple):
    """A lot at a location as it stood."""

    lot_id: str
    level_id: str
    location_id: str
    on_hand: int
    value: int


def _lots_at(
    connection: sa.Connection,
    catalog: Catalog,
    last: _Moment,
    moments: dict[str, _Moment],
    cursor: str | None,
    limit: int,
) -> Page:
    """A page of the lots that had units at the moment of their location, else at the `last` one; it looks at SCAN_MAX
    at most, so it may be short."""
    before: tuple[str, str] | None = None if cursor is None else decode_cursor(cursor, UUID, UUID)
    org_id = catalog.settings.id
    found: list[_Past] = []
    # The cursor may be at any row of its lot; a lot is looked at as a whole, for its rows are merged in quarantine.
    upto = [] if before is None else [_stock.lot_id <= before[0]]
    for _ in range(SCAN_MAX // LOTS_CHUNK):
        chunk = _chunk(connection, org_id, last.at, upto)
        stood: list[tuple[_Past, Any]] = []
        for moment in {moments.get(row.location_id, last) for row in chunk}:
            here = [row for row in chunk if moments.get(row.location_id, last) == moment]
            stood += _as_they_stood(connection, org_id, moment, here)
        merged = _set_aside(connection, catalog, stood)
        ordered = sorted(merged, key=lambda one: (one.lot_id, one.level_id), reverse=True)
        found += [one for one in ordered if before is None or (one.lot_id, one.level_id) < before]
        if len(found) > limit:
            end = found[limit - 1]
            return Page(_worth(connection, catalog, found[:limit]), encode_cursor(end.lot_id, end.level_id))
        if len(chunk) < LOTS_CHUNK:
            return Page(_worth(connection, catalog, found), None)
        upto = [_stock.lot_id < chunk[-1].lot_id]
    return Page(_worth(connection, catalog, found), encode_cursor(chunk[-1].lot_id, NO_ID))


def _chunk(connection: sa.Connection, org_id: str, at: int, upto: Sequence[sa.ColumnElement[bool]]) -> Sequence[Any]:
    """The next lots at locations that were received by then, newest first, the last lot with all its locations; a lot's
    id is from when it was received."""
    columns = (_stock.lot_id, _stock.level_id, _stock.location_id, _stock.on_hand, _stock.value, _stock.sellable_until)
    query = sa.select(*columns, _lot.product_id)
    query = query.join(schema.lot, (_lot.org_id == _stock.org_id) & (_lot.id == _stock.lot_id))
    query = query.where(_stock.org_id == org_id, _stock.lot_id < id_floor(at + SKEW), _lot.received_at <= at)
    query = query.order_by(_stock.lot_id.desc(), _stock.level_id.desc())
    rows = list(connection.execute(query.where(*upto).limit(LOTS_CHUNK)))
    if len(rows) == LOTS_CHUNK:
        rest = query.where(_stock.lot_id == rows[-1].lot_id, _stock.level_id < rows[-1].level_id)
        rows += connection.execute(rest)
    return rows


def _as_they_stood(
    connection: sa.Connection, org_id: str, moment: _Moment, chunk: Sequence[Any]
) -> list[tuple[_Past, Any]]:
    """Those of the lots that had units then: what they have now, less what has moved since. Beside each is the product
    whose level in quarantine it goes to, if it had expired by then."""
    if not chunk:
        return []
    kinds = {"lot_id": schema.Id}
    given = given_rows(connection.dialect.name, kinds, [[lot_id] for lot_id in sorted({row.lot_id for row in chunk})])
    query = (
        sa.select(_ledger.level_id, _ledger.lot_id, exact_sum(_ledger.qty_delta), exact_sum(_ledger.value_delta))
        .select_from(given)
        # An outer join leaves SQLite no choice of which comes first; lots without a movement come as one without a lot.
        .outerjoin(
            schema.ledger,
            sa.and_(
                _ledger.org_id == org_id,
                _ledger.lot_id == given.c.lot_id,
                sa.text("ledger.qty_delta <> 0"),
                _ledger.id >= id_floor(moment.at - SKEW),
                _ledger.created_at >= moment.at,
                sa.or_(_ledger.created_at > moment.at, _ledger.id > sa.literal(moment.id, schema.Id)),
            ),
        )
        .group_by(_ledger.level_id, _ledger.lot_id)
    )
    since = {(row[0], row[1]): (int(row[2]), int(row[3])) for row in connection.execute(query) if row[1]}
    stood = []
    for row in chunk:
        units, value = since.get((row.level_id, row.lot_id), (0, 0))
        if row.on_hand != units:
            one = _Past(row.lot_id, row.level_id, row.location_id, row.on_hand - units, row.value - value)
            expired = row.sellable_until is not None and row.sellable_until <= moment.at
            stood.append((one, row.product_id if expired else None))
    return stood


def _set_aside(connection: sa.Connection, catalog: Catalog, stood: Iterable[tuple[_Past, Any]]) -> list[_Past]:
    """The lots with those that had expired in quarantine, one row a lot and location."""
    stays = [one for one, product_id in stood if product_id is None]
    gone = [(one, product_id) for one, product_id in stood if product_id is not None]
    if not gone:
        return stays
    corners = corners_of(catalog)
    targets = {(product_id, corners[one.location_id]) for one, product_id in gone}
    levels = ids_of_levels(connection, catalog.settings.id, targets)
    rows = {(one.lot_id, one.level_id): one for one in stays}
    for one, product_id in gone:
        place = corners[one.location_id]
        key = (one.lot_id, levels[product_id, place])
        there = rows.get(key, _Past(*key, place, 0, 0))
        rows[key] = there._replace(on_hand=there.on_hand + one.on_hand, value=there.value + one.value)
    return list(rows.values())


def _worth(connection: sa.Connection, catalog: Catalog, found: Sequence[_Past]) -> list[Json]:
    """Lots at locations with their worth, as they go outside."""
    org_id = catalog.settings.id
    known = lots_of(connection, org_id, {one.lot_id for one in found})
    products = products_of(connection, org_id, {lot.product_id for lot in known.values()})
    items = []
    for one in found:
        lot = known[one.lot_id]
        product = products[lot.product_id]
        items.append(
            {
                "lot_id": lot.id,
                "lot_code": lot.code,
                "product_id": product.id,
                "sku": product.sku,
                "location": catalog.locations[one.location_id].code,
                "on_hand": product.number(one.on_hand),
                "value": from_minor(one.value, catalog.settings.minor_digits),
            }
        )
    return items
