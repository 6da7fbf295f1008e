"""The books: the journal, trial balances and what the stock is worth, now and as of a past day or instant (SPEC 8).

    journal(connection, catalog, Filter(account="1000"), cursor=None, limit=50)
    trial_balance(connection, catalog, "2031-01-31")        -> debits and credits of each account through that day

A balance is the last close before it, or the last end of a day that was added up (`db.day_ends`), and what was posted
since, read from one index that has all it needs. Stock as
of an instant is what lies there now, less what has moved since, a page of lots at a time: what was sold out before
that instant costs nothing. A day means what was posted on it or before; for stock, what was there when the first
movement was posted on a later one: where a day was closed early, business went on and posted on the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from holdfast.core.journal import ACCOUNTS, INVENTORY, Account, JournalEntry
from holdfast.core.lookup import Catalog
from holdfast.core.number import day_at, end_of_day, from_minor, instant_text
from holdfast.core.period import Period, account_document, period_document
from holdfast.db import schema
from holdfast.db.day_ends import SLACK
from holdfast.db.queries import lots
from holdfast.db.queries.as_of import given_rows
from holdfast.db.queries.catalog import columns_of, products_of, records
from holdfast.db.queries.ledger import SKEW, id_floor
from holdfast.db.queries.paging import (
    SCAN_MAX,
    Json,
    Page,
    among,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    newest,
    page_of,
)
from holdfast.db.queries.reservations import lots_of
from holdfast.db.rows import row_type

_entry, _posting, _period, _end = schema.journal_entry.c, schema.posting.c, schema.period.c, schema.day_end.c
_ledger, _stock = schema.ledger.c, schema.lot_stock.c
_ENTRY_COLUMNS = columns_of(schema.journal_entry, JournalEntry)

CLOSE_MARGIN = 600 * 1_000_000
"""A close counts for instants so many microseconds after it: postings that were under way are in it."""

LOTS_CHUNK = 500
"""Lots at locations whose past is looked up at once."""

AsOf = str | int | None
"""A day (YYYY-MM-DD), an instant in microseconds, or now."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which journal entries: `from_ <= at < to` in microseconds."""

    account: str | None = None
    ref_type: str | None = None
    ref_id: str | None = None
    from_: int | None = None
    to: int | None = None


class Sums(NamedTuple):
    """What was posted to an account, in minor units, both 0 or more."""

    debit: int
    credit: int


# Accounts and periods ------------------------------------------------------------------------------------------------


def account_names(connection: sa.Connection, org_id: str) -> dict[str, str]:
    """The name of every account by its code, in the order of the codes."""
    own = records(connection, schema.account, Account, schema.account.c.org_id == org_id)
    return dict(sorted({**ACCOUNTS, **{account.id: account.name for account in own}}.items()))


def accounts(connection: sa.Connection, catalog: Catalog, cursor: str | None, limit: int) -> Page:
    """The chart of accounts by code: `{code, name, kind}`."""
    limit = bounded(limit)
    after = "" if cursor is None else decode_cursor(cursor, str)[0]
    names = account_names(connection, catalog.settings.id)
    found = [msgspec.to_builtins(account_document(code, name)) for code, name in names.items() if code > after]
    return Page(found[:limit], encode_cursor(found[limit - 1]["code"]) if len(found) > limit else None)


def periods(connection: sa.Connection, catalog: Catalog, cursor: str | None, limit: int) -> Page:
    """Closes, the last one first: `{through, closed_by, closed_at}`."""
    limit = bounded(limit)
    where = [_period.org_id == catalog.settings.id]
    if cursor is not None:
        where.append(_period.id < decode_cursor(cursor, str)[0])
    query = sa.select(_period.id, _period.actor, _period.created_at).where(*where).order_by(_period.id.desc())
    found = [
        msgspec.to_builtins(period_document(Period(row.id, (), row.actor, row.created_at)))
        for row in connection.execute(query.limit(limit + 1))
    ]
    return Page(found[:limit], encode_cursor(found[limit - 1]["through"]) if len(found) > limit else None)


# The journal ---------------------------------------------------------------------------------------------------------


def journal(connection: sa.Connection, catalog: Catalog, wanted: Filter, *, cursor: str | None, limit: int) -> Page:
    """A page of journal entries, newest first."""
    limit = bounded(limit)
    if wanted.account is not None and wanted.ref_id is None:
        return _of_account(connection, catalog, wanted, cursor, limit)
    where: list[sa.ColumnElement[bool]] = []
    if wanted.ref_id is not None:
        where += [_entry.ref_id.is_not(None), _entry.ref_id == wanted.ref_id]
    if wanted.account is not None:
        own = (_posting.org_id == _entry.org_id, _posting.entry_id == _entry.id, _posting.account == wanted.account)
        where.append(sa.exists().where(*own))
    if wanted.ref_type is not None:
        where.append(_entry.ref_type == wanted.ref_type)
    before = id_of_cursor(cursor)
    oldest = ""
    if wanted.to is not None:
        where.append(_entry.at < wanted.to)
        latest = id_floor(wanted.to + SKEW)
        before = latest if before is None else min(before, latest)
    if wanted.from_ is not None:
        oldest = id_floor(wanted.from_ - SKEW)
        where += [_entry.at >= wanted.from_, _entry.id >= oldest]
    found = newest(
        connection,
        schema.journal_entry,
        _ENTRY_COLUMNS,
        catalog.settings.id,
        where,
        before=before,
        limit=limit,
        indexed=wanted.ref_id is not None,
    )
    if found.floor is not None and found.floor < oldest:
        found = found._replace(floor=None)
    return page_of(found, limit, lambda rows: _describe(connection, catalog, rows))


def _of_account(connection: sa.Connection, catalog: Catalog, wanted: Filter, cursor: str | None, limit: int) -> Page:
    """A page of one account's entries, by (at, id) along its index; an entry has at most one line of an account."""
    own = [_posting.org_id == catalog.settings.id, _posting.account == wanted.account]
    if wanted.from_ is not None:
        own.append(_posting.at >= wanted.from_)
    if wanted.to is not None:
        own.append(_posting.at < wanted.to)
    if cursor is not None:
        at, name = decode_cursor(cursor, int, UUID)
        # The first of the two alone bounds the index; the pair is exact.
        own += [_posting.at <= at, sa.tuple_(_posting.at, _posting.entry_id) < sa.tuple_(*_place(at, name))]
    keys = sa.select(_posting.at, _posting.entry_id).where(*own)
    keys = keys.order_by(_posting.at.desc(), _posting.entry_id.desc())
    floor = None
    if wanted.ref_type is not None:
        end = connection.execute(keys.offset(SCAN_MAX - 1).limit(1)).first()
        if end is not None:
            floor = encode_cursor(end.at, end.entry_id)
            own.append(sa.tuple_(_posting.at, _posting.entry_id) >= sa.tuple_(*_place(end.at, end.entry_id)))
        keys = keys.join(
            schema.journal_entry, (_entry.org_id == _posting.org_id) & (_entry.id == _posting.entry_id)
        ).where(*own, _entry.ref_type == wanted.ref_type)
    places = connection.execute(keys.limit(limit + 1)).all()
    shown = [str(row.entry_id) for row in places[:limit]]
    query = sa.select(*_ENTRY_COLUMNS).where(_entry.org_id == catalog.settings.id, among(connection, _entry.id, shown))
    rows = {row.id: row for row in connection.execute(query)} if shown else {}
    items = _describe(connection, catalog, [rows[name] for name in shown])
    if len(places) > limit:
        return Page(items, encode_cursor(places[limit - 1].at, str(places[limit - 1].entry_id)))
    return Page(items, floor)


def _place(at: int, name: str) -> list[sa.ColumnElement[Any]]:
    return [sa.literal(at, sa.BigInteger()), sa.literal(name, schema.Id)]


def _describe(connection: sa.Connection, catalog: Catalog, rows: Sequence[Any]) -> list[Json]:
    """Journal entries as they go outside, with their lines."""
    if not rows:
        return []
    org_id, digits = catalog.settings.id, catalog.settings.minor_digits
    names = account_names(connection, org_id)
    entries: list[JournalEntry] = [row_type(JournalEntry).read(row) for row in rows]
    query = sa.select(_posting.entry_id, _posting.account, _posting.amount)
    query = query.where(_posting.org_id == org_id, among(connection, _posting.entry_id, [one.id for one in entries]))
    lines: dict[str, list[Json]] = {}
    for entry_id, account, amount in connection.execute(query.order_by(_posting.entry_id, _posting.position)):
        lines.setdefault(entry_id, []).append(
            {
                "account": account,
                "name": names.get(account, account),
                "debit": from_minor(max(amount, 0), digits),
                "credit": from_minor(max(-amount, 0), digits),
            }
        )
    return [
        {
            "id": entry.id,
            "at": instant_text(entry.at),
            "day": entry.day,
            "description": entry.description,
            "ref_type": entry.ref_type,
            "ref_id": entry.ref_id,
            "ledger_ids": list(entry.ledger_ids),
            "lines": lines.get(entry.id, []),
        }
        for entry in entries
    ]


# Balances ------------------------------------------------------------------------------------------------------------


def trial_balance(connection: sa.Connection, catalog: Catalog, as_of: AsOf) -> Json:
    """`{as_of, items: [{account, name, debit, credit, balance}], total_debit, total_credit}`, every account."""
    digits = catalog.settings.minor_digits
    names = account_names(connection, catalog.settings.id)
    sums = _sums(connection, catalog, list(names), as_of)
    items = [
        {
            "account": account,
            "name": name,
            "debit": from_minor(sums[account].debit, digits),
            "credit": from_minor(sums[account].credit, digits),
            "balance": from_minor(sums[account].debit - sums[account].credit, digits),
        }
        for account, name in names.items()
    ]
    return {
        "as_of": _shown(as_of),
        "items": items,
        "total_debit": from_minor(sum(one.debit for one in sums.values()), digits),
        "total_credit": from_minor(sum(one.credit for one in sums.values()), digits),
    }


def _shown(as_of: AsOf) -> str | None:
    return instant_text(as_of) if isinstance(as_of, int) else as_of


class _Base(NamedTuple):
    """Balances kept at the end of a day; whatever counts on a later one is newer than `since` (microseconds)."""

    day: str
    balances: Sequence[tuple[str, int, int]]
    since: int


def _base(connection: sa.Connection, catalog: Catalog, as_of: AsOf) -> _Base | None:
    """The last balances that were kept before it, by a close or by the sweeper."""
    org_id, timezone = catalog.settings.id, catalog.settings.timezone
    closes = [_period.org_id == org_id]
    ends = [_end.org_id == org_id, _end.balances.is_not(sa.null())]
    if isinstance(as_of, str):
        closes.append(_period.id <= as_of)
        ends.append(_end.id <= as_of)
    elif as_of is not None:
        closes.append(_period.created_at <= as_of - CLOSE_MARGIN)
        ends.append(_end.id < day_at(max(as_of - SLACK, 0), timezone))  # all of it was posted before the instant
    close = sa.select(_period.id, _period.balances, _period.created_at).where(*closes).order_by(_period.id.desc())
    closed = connection.execute(close.limit(1)).first()
    end = sa.select(_end.id, _end.balances).where(*ends).order_by(_end.id.desc())
    ended = connection.execute(end.limit(1)).first()
    if ended is not None and (closed is None or ended.id > closed.id):
        return _Base(ended.id, ended.balances, end_of_day(ended.id, timezone) - SLACK)
    if closed is None:
        return None
    return _Base(closed.id, closed.balances, min(closed.created_at, end_of_day(closed.id, timezone)) - SLACK)


def _sums(connection: sa.Connection, catalog: Catalog, names: Sequence[str], as_of: AsOf) -> dict[str, Sums]:
    """What was posted to each of the accounts: the last balances that were kept before it, and everything since."""
    where = [_posting.org_id == catalog.settings.id, _posting.account.in_(names)]
    if isinstance(as_of, str):
        where += [_posting.day <= as_of, _posting.at < end_of_day(as_of, catalog.settings.timezone) + SLACK]
    elif as_of is not None:
        where.append(_posting.at <= as_of)
    base = _base(connection, catalog, as_of)
    sums = dict.fromkeys(names, Sums(0, 0))
    if base is not None:
        where += [_posting.day > base.day, _posting.at >= base.since]
        sums |= {account: Sums(debit, credit) for account, debit, credit in base.balances if account in sums}
    credits: sa.ColumnElement[int] = sa.func.sum(sa.case((_posting.amount < 0, -_posting.amount), else_=0))
    query = sa.select(_posting.account, sa.func.sum(_posting.amount), credits).where(*where).group_by(_posting.account)
    for account, balance, credit in connection.execute(query):
        before = sums[account]
        sums[account] = Sums(before.debit + int(balance) + int(credit), before.credit + int(credit))
    return sums


# What the stock is worth ---------------------------------------------------------------------------------------------


def valuation(connection: sa.Connection, catalog: Catalog, as_of: AsOf, cursor: str | None, limit: int) -> Json:
    """`{as_of, total, items, next_cursor}`: what lots at locations are worth, newest lot first.

    `total` is of all of them: the inventory account (that the two are the same is what `holdfast check` proves).
    """
    posted = _sums(connection, catalog, [INVENTORY], as_of)[INVENTORY]
    total = posted.debit - posted.credit
    if as_of is None:
        page = lots.listed(connection, catalog, lots.Filter(in_stock=True), cursor=cursor, limit=limit, now=None)
        items = [{"lot_id": row["id"], **{name: row[name] for name in _SHOWN}} for row in page.items]
        return _valued(catalog, as_of, total, Page(items, page.next_cursor))
    moments = _last_moments(connection, catalog, as_of) if isinstance(as_of, str) else {}
    moment = _Moment(as_of) if isinstance(as_of, int) else max(moments.values(), default=_Moment(0))
    page = _lots_at(connection, catalog, moment, moments, cursor, bounded(limit))
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
        "as_of": _shown(as_of),
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
    before = None if cursor is None else decode_cursor(cursor, UUID, UUID)
    found: list[_Past] = []
    for _ in range(SCAN_MAX // LOTS_CHUNK):
        chunk = _chunk(connection, catalog.settings.id, last.at, before)
        stood: list[_Past] = []
        for moment in {moments.get(row.location_id, last) for row in chunk}:
            here = [row for row in chunk if moments.get(row.location_id, last) == moment]
            stood += _as_they_stood(connection, catalog.settings.id, moment, here)
        found += sorted(stood, key=lambda one: (one.lot_id, one.level_id), reverse=True)
        if len(found) > limit:
            end = found[limit - 1]
            return Page(_worth(connection, catalog, found[:limit]), encode_cursor(end.lot_id, end.level_id))
        if len(chunk) < LOTS_CHUNK:
            return Page(_worth(connection, catalog, found), None)
        before = (chunk[-1].lot_id, chunk[-1].level_id)
    assert before is not None
    return Page(_worth(connection, catalog, found), encode_cursor(*before))


def _chunk(connection: sa.Connection, org_id: str, at: int, before: tuple[Any, ...] | None) -> Sequence[Any]:
    """The next lots at locations that were received by then, newest first; a lot's id is from when it was received."""
    where = [_stock.org_id == org_id, _stock.lot_id < id_floor(at + SKEW), schema.lot.c.received_at <= at]
    if before is not None:
        pair = [sa.literal(name, schema.Id) for name in before]
        where += [_stock.lot_id <= before[0], sa.tuple_(_stock.lot_id, _stock.level_id) < sa.tuple_(*pair)]
    query = sa.select(_stock.lot_id, _stock.level_id, _stock.location_id, _stock.on_hand, _stock.value)
    query = query.join(schema.lot, (schema.lot.c.org_id == _stock.org_id) & (schema.lot.c.id == _stock.lot_id))
    query = query.where(*where).order_by(_stock.lot_id.desc(), _stock.level_id.desc()).limit(LOTS_CHUNK)
    return connection.execute(query).all()


def _as_they_stood(connection: sa.Connection, org_id: str, moment: _Moment, chunk: Sequence[Any]) -> list[_Past]:
    """Those of the lots that had units then: what they have now, less what has moved since."""
    if not chunk:
        return []
    kinds = {"lot_id": schema.Id}
    given = given_rows(connection.dialect.name, kinds, [[lot_id] for lot_id in sorted({row.lot_id for row in chunk})])
    query = (
        sa.select(_ledger.level_id, _ledger.lot_id, sa.func.sum(_ledger.qty_delta), sa.func.sum(_ledger.value_delta))
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
            stood.append(_Past(row.lot_id, row.level_id, row.location_id, row.on_hand - units, row.value - value))
    return stood


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
