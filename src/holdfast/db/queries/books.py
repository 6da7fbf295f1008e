"""The books: the journal and trial balances, now and as of a past day or instant (docs/how-to/books.md).

    journal(connection, catalog, JournalFilter(account="1000"), Part(limit=50, now=now))
    trial_balance(connection, catalog, AsOfFilter(as_of="2031-01-31"), part)   -> each account through that day

A balance is the last close before it, or the last end of a day that was added up (`db.upkeep.day_ends`), and what was
posted since, read from one index that has all it needs. A day means what was posted on it or before. What the stock is
worth is in `valuation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.organisation.bookkeeping import entry_document
from holdfast.core.organisation.periods import Period, account_document, period_document
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import from_minor, from_unit_cost
from holdfast.core.records.tax import RATE_PLACES
from holdfast.core.records.text import uuid_text
from holdfast.core.records.time import day_at, end_of_day, instant_text
from holdfast.core.stock.journal import ACCOUNTS, TAX_PAYABLE, Account, JournalEntry, Posting
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.exact_sum import exact_sum
from holdfast.db.queries.catalog import columns_of, records
from holdfast.db.queries.filters import BEFORE, NOT_BEFORE, Day, DayOrInstant, Everything, Filter, Instant
from holdfast.db.queries.ledger import SKEW, id_floor
from holdfast.db.queries.paging import (
    SCAN_MAX,
    Found,
    Json,
    Page,
    Part,
    among,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    in_order,
    newest,
    page_in_pieces,
)
from holdfast.db.upkeep.day_ends import SLACK

_entry, _posting, _period, _end = schema.journal_entry.c, schema.posting.c, schema.period.c, schema.day_end.c
_ledger, _stock = schema.ledger.c, schema.lot_stock.c
_ENTRY_COLUMNS = columns_of(schema.journal_entry, JournalEntry)
_POSTING_COLUMNS = columns_of(schema.posting, Posting)

_BY_HAND: sa.ColumnElement[bool] = sa.literal_column("journal_entry.ref_type IN ('ENTRY', 'BILL')", sa.Boolean())
"""The entries whose day may be long before they were made, in the words of their index."""

_EARLIER: sa.ColumnElement[bool] = sa.literal_column("journal_entry.earlier", sa.Boolean())
"""The entries whose day may be long before they were made, in the words of their index."""

CLOSE_MARGIN = 600 * 1_000_000
"""A close counts for instants so many microseconds after it: postings that were under way are in it."""

AsOf = str | int | None
"""A day (YYYY-MM-DD), an instant in microseconds, or now."""


JournalRefType = Literal[
    "RECEIPT", "SALE", "RETURN", "ADJUSTMENT", "COUNT", "CASH", "REGISTER", "OPENING", "PAYMENT", "ENTRY", "BILL"
]
"""What a journal entry may be about."""


class JournalFilter(Filter, frozen=True, kw_only=True):
    """Which journal entries: `from_ <= at < to`; `ref_ids`: about one of these."""

    account: Annotated[str | None, Meta(description="Only with a line of this account (code).")] = None
    ref_type: Annotated[JournalRefType | None, Meta(description="Only about this.")] = None
    ref_id: Annotated[str | None, Meta(description="Only about the sale, receipt, return, count ... with this id.")] = (
        None
    )
    from_: Annotated[Instant | None, NOT_BEFORE] = msgspec.field(default=None, name="from")
    to: Annotated[Instant | None, BEFORE] = None
    ref_ids: tuple[str, ...] = ()


class AsOfFilter(Filter, frozen=True, kw_only=True):
    """As of which day (what was posted on it or before) or instant (what was posted until then); None: now."""

    as_of: Annotated[
        DayOrInstant | None,
        Meta(description="A day (`2031-01-31`) or an instant (`2031-01-31T12:00:00Z`); now by default."),
    ] = None


FIRST_DAY = date(1970, 1, 1)
"""Nothing was posted before it."""


class TaxFilter(Filter, frozen=True, kw_only=True):
    """On which accounting days (YYYY-MM-DD), both included; None: from the first, to the last."""

    from_: Annotated[Day | None, Meta(description="From this accounting day on, as `2031-01-01`.")] = msgspec.field(
        default=None, name="from"
    )
    to: Annotated[Day | None, Meta(description="Through this accounting day, as `2031-01-31`.")] = None


class Sums(NamedTuple):
    """What was posted to an account, in minor units, both 0 or more."""

    debit: int
    credit: int


# Accounts and periods ------------------------------------------------------------------------------------------------


def account_names(connection: sa.Connection, org_id: str) -> dict[str, str]:
    """The name of every account by its code, in the order of the codes."""
    own = records(connection, schema.account, Account, schema.account.c.org_id == org_id)
    return dict(sorted({**ACCOUNTS, **{account.id: account.name for account in own}}.items()))


def accounts(connection: sa.Connection, catalog: Catalog, _: Everything, part: Part) -> Page:
    """A page of the chart of accounts by code: `{code, name, kind}`."""
    limit = bounded(part.limit)
    after = "" if part.cursor is None else decode_cursor(part.cursor, str)[0]
    names = account_names(connection, catalog.settings.id)
    found = [msgspec.to_builtins(account_document(code, name)) for code, name in names.items() if code > after]
    return Page(found[:limit], encode_cursor(found[limit - 1]["code"]) if len(found) > limit else None)


def periods(connection: sa.Connection, catalog: Catalog, _: Everything, part: Part) -> Page:
    """A page of closes of the books, the last one first: `{through, closed_by, closed_at}`."""
    limit = bounded(part.limit)
    where = [_period.org_id == catalog.settings.id]
    if part.cursor is not None:
        where.append(_period.id < decode_cursor(part.cursor, str)[0])
    query = sa.select(_period.id, _period.actor, _period.created_at).where(*where).order_by(_period.id.desc())
    found = [
        msgspec.to_builtins(period_document(Period(row.id, (), row.actor, row.created_at)))
        for row in connection.execute(query.limit(limit + 1))
    ]
    return Page(found[:limit], encode_cursor(found[limit - 1]["through"]) if len(found) > limit else None)


# The journal ---------------------------------------------------------------------------------------------------------


def journal(connection: sa.Connection, catalog: Catalog, filters: JournalFilter, part: Part) -> Page:
    """A page of journal entries with their lines (docs/how-to/books.md), newest first."""
    limit = bounded(part.limit)
    named = filters.ref_id is not None or bool(filters.ref_ids)
    if filters.account is not None and not named:
        return _of_account(connection, catalog, filters, part.cursor, limit)
    where: list[sa.ColumnElement[bool]] = []
    if filters.ref_id is not None:
        where += [_entry.ref_id.is_not(None), _entry.ref_id == (uuid_text(filters.ref_id) or filters.ref_id)]
    if filters.ref_ids:
        where += [_entry.ref_id.is_not(None), _entry.ref_id.in_(filters.ref_ids)]
    if filters.account is not None:
        own = (_posting.org_id == _entry.org_id, _posting.entry_id == _entry.id, _posting.account == filters.account)
        where.append(sa.exists().where(*own))
    if filters.ref_type is not None:
        where.append(_entry.ref_type == filters.ref_type)
    before = id_of_cursor(part.cursor)
    oldest = ""
    if filters.to is not None:
        where.append(_entry.at < filters.to)
        latest = id_floor(filters.to + SKEW)
        before = latest if before is None else min(before, latest)
    if filters.from_ is not None:
        oldest = id_floor(filters.from_ - SKEW)
        where += [_entry.at >= filters.from_, _entry.id >= oldest]
    found = newest(
        connection,
        schema.journal_entry,
        [_entry.id],
        catalog.settings.id,
        where,
        before=before,
        limit=limit,
        indexed=named,
    )
    if found.floor is not None and found.floor < oldest:
        found = found._replace(floor=None)
    return page_in_pieces(found, limit, lambda ids: _described(connection, catalog, ids))


def _of_account(
    connection: sa.Connection, catalog: Catalog, filters: JournalFilter, cursor: str | None, limit: int
) -> Page:
    """A page of one account's entries, by (at, id) along its index; an entry has a line of tax for each rate."""
    own = [_posting.org_id == catalog.settings.id, _posting.account == filters.account]
    if filters.from_ is not None:
        own.append(_posting.at >= filters.from_)
    if filters.to is not None:
        own.append(_posting.at < filters.to)
    if cursor is not None:
        at, name = decode_cursor(cursor, int, UUID)
        # The first of the two alone bounds the index; the pair is exact.
        own += [_posting.at <= at, sa.tuple_(_posting.at, _posting.entry_id) < sa.tuple_(*_place(at, name))]
    keys = sa.select(_posting.at, _posting.entry_id.label("id")).where(*own).distinct()
    keys = keys.order_by(_posting.at.desc(), _posting.entry_id.desc())
    floor = None
    if filters.ref_type is not None:
        end = connection.execute(keys.offset(SCAN_MAX - 1).limit(1)).first()
        if end is not None:
            floor = encode_cursor(end.at, end.id)
            own.append(sa.tuple_(_posting.at, _posting.entry_id) >= sa.tuple_(*_place(end.at, end.id)))
        keys = keys.join(
            schema.journal_entry, (_entry.org_id == _posting.org_id) & (_entry.id == _posting.entry_id)
        ).where(*own, _entry.ref_type == filters.ref_type)
    places = connection.execute(keys.limit(limit + 1)).all()
    page = page_in_pieces(
        Found(places),
        limit,
        lambda ids: _described(connection, catalog, ids),
        lambda row: encode_cursor(row.at, str(row.id)),
    )
    return page if page.next_cursor is not None else Page(page.items, floor)


def _place(at: int, name: str) -> list[sa.ColumnElement[Any]]:
    return [sa.literal(at, sa.BigInteger()), sa.literal(name, schema.Id)]


def _described(connection: sa.Connection, catalog: Catalog, ids: Sequence[str]) -> list[Json]:
    """The journal entries with these ids, in this order, as they go outside."""
    query = sa.select(*_ENTRY_COLUMNS).where(_entry.org_id == catalog.settings.id, among(connection, _entry.id, ids))
    return _describe(connection, catalog, in_order(connection.execute(query), ids))


def _describe(connection: sa.Connection, catalog: Catalog, rows: Sequence[Any]) -> list[Json]:
    """Journal entries as they go outside, with their lines."""
    if not rows:
        return []
    org_id, digits = catalog.settings.id, catalog.settings.minor_digits
    names = account_names(connection, org_id)
    entries: list[JournalEntry] = [row_type(JournalEntry).read(row) for row in rows]
    query = sa.select(*_POSTING_COLUMNS)
    query = query.where(_posting.org_id == org_id, among(connection, _posting.entry_id, [one.id for one in entries]))
    lines: dict[str, list[Posting]] = {}
    for row in connection.execute(query.order_by(_posting.entry_id, _posting.position)):
        posting: Posting = row_type(Posting).read(row)
        lines.setdefault(posting.entry_id, []).append(posting)
    documents = (entry_document(entry, lines.get(entry.id, []), names, digits) for entry in entries)
    return [msgspec.to_builtins(document) for document in documents]


# Balances ------------------------------------------------------------------------------------------------------------


def trial_balance(connection: sa.Connection, catalog: Catalog, filters: AsOfFilter, _: Part) -> Json:
    """`{as_of, items: [{account, name, debit, credit, balance}], total_debit, total_credit}`, every account."""
    as_of, digits = filters.as_of, catalog.settings.minor_digits
    names = account_names(connection, catalog.settings.id)
    sums = sums_of(connection, catalog, list(names), as_of)
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
        "as_of": as_of_text(as_of),
        "items": items,
        "total_debit": from_minor(sum(one.debit for one in sums.values()), digits),
        "total_credit": from_minor(sum(one.credit for one in sums.values()), digits),
    }


def tax_report(connection: sa.Connection, catalog: Catalog, filters: TaxFilter, part: Part) -> Json:
    """What was taxed at each rate on the accounting days of the filter, sales less returns, in the part's stores.

    `{from, to, items: [{name, rate, net, tax, gross}], total_tax}`. What an older version posted has neither name nor
    rate nor net. Entries by hand are left out: what is paid to the state is no tax of a sale.
    """
    digits, timezone = catalog.settings.minor_digits, catalog.settings.timezone
    where = [_posting.org_id == catalog.settings.id, _posting.account == TAX_PAYABLE]
    if filters.from_ is not None:
        where.append(_posting.day >= filters.from_)
        first = date.fromisoformat(filters.from_)
        if first > FIRST_DAY:
            before = (first - timedelta(days=1)).isoformat()
            where.append(_posting.at >= end_of_day(before, timezone) - SLACK)
    if filters.to is not None:
        late = end_of_day(filters.to, timezone) + SLACK
        earlier = sa.select(_entry.id).where(_entry.org_id == catalog.settings.id, _EARLIER, _entry.at >= late)
        where += [_posting.day <= filters.to, (_posting.at < late) | _posting.entry_id.in_(earlier)]
    made = schema.journal_entry.alias("made")
    own_entry = (made.c.org_id == catalog.settings.id, made.c.id == _posting.entry_id)
    by_hand = sa.exists(sa.select(made.c.id).where(*own_entry, made.c.ref_type == "ENTRY").correlate(schema.posting))
    where.append(_posting.tax_name.is_not(None) | ~by_hand)
    tax, net = exact_sum(-_posting.amount), exact_sum(-_posting.tax_net)
    query = sa.select(_posting.tax_name, _posting.tax_rate, net, tax)
    if part.stores is not None:
        own = (_entry.org_id == _posting.org_id) & (_entry.id == _posting.entry_id)
        query = query.join(schema.journal_entry, own & _entry.store_id.in_(sorted(part.stores)))
    rows = connection.execute(query.where(*where).group_by(_posting.tax_name, _posting.tax_rate)).all()
    items = []
    for name, rate, of_net, of_tax in sorted(rows, key=lambda row: (row[0] is None, row[0] or "", row[1] or 0)):
        known = name is not None
        items.append(
            {
                "name": name,
                "rate": from_unit_cost(rate, RATE_PLACES) if known else None,
                "net": from_minor(int(of_net), digits) if known else None,
                "tax": from_minor(int(of_tax), digits),
                "gross": from_minor(int(of_net) + int(of_tax), digits) if known else None,
            }
        )
    total = from_minor(sum(int(row[3]) for row in rows), digits)
    return {"from": filters.from_, "to": filters.to, "items": items, "total_tax": total}


def as_of_text(as_of: AsOf) -> str | None:
    """A day, or an instant as text, as it goes outside; None for now."""
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


def sums_of(connection: sa.Connection, catalog: Catalog, names: Sequence[str], as_of: AsOf) -> dict[str, Sums]:
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
    credits = exact_sum(sa.case((_posting.amount < 0, -_posting.amount), else_=0))
    query = sa.select(_posting.account, exact_sum(_posting.amount), credits).where(*where).group_by(_posting.account)
    for account, balance, credit in connection.execute(query):
        before = sums[account]
        sums[account] = Sums(before.debit + int(balance) + int(credit), before.credit + int(credit))
    if as_of is not None:
        for late in (_EARLIER, _BY_HAND):
            _put_late(connection, catalog, sums, as_of, base, late)
    return sums


def _put_late(
    connection: sa.Connection,
    catalog: Catalog,
    sums: dict[str, Sums],
    as_of: AsOf,
    base: _Base | None,
    late_entries: sa.ColumnElement[bool],
) -> None:
    """Correct the sums for the entries of a kind that were made long after their day.

    As of a day: those that were made after it are of it, and lie outside of what was read. As of an instant: those that
    were made after it on a day before are in the balances that were kept of that day, and are not of it yet.
    """
    first = "" if base is None else base.day
    where = [_entry.org_id == catalog.settings.id, late_entries]
    if isinstance(as_of, str):
        late = end_of_day(as_of, catalog.settings.timezone) + SLACK
        where += [_entry.at >= late, _entry.day <= as_of, _entry.day > first]
    elif as_of is not None:
        where += [_entry.at > as_of, _entry.day <= first]
    sign = 1 if isinstance(as_of, str) else -1
    credits: sa.ColumnElement[int] = sa.func.sum(sa.case((_posting.amount < 0, -_posting.amount), else_=0))
    own = (_posting.org_id == _entry.org_id) & (_posting.entry_id == _entry.id)
    query = sa.select(_posting.account, sa.func.sum(_posting.amount), credits)
    query = query.join_from(schema.journal_entry, schema.posting, own)
    query = query.where(*where, _posting.org_id == catalog.settings.id, _posting.account.in_(list(sums)))
    for account, balance, credit in connection.execute(query.group_by(_posting.account)):
        before = sums[account]
        debit = int(balance) + int(credit)
        sums[account] = Sums(before.debit + sign * debit, before.credit + sign * int(credit))
