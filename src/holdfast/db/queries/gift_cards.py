"""Gift cards as they go outside: one by its code with what happened to it, and the list of what is owed on all.

Who has the code of a card may spend it, so the list shows the end of each code only. Cards are the organisation's,
whichever store sold them. Entries are listed by their number, newest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import from_minor
from holdfast.core.records.status import GiftCardStatus
from holdfast.core.records.time import instant_text
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry, read_code, shown_code
from holdfast.db import schema
from holdfast.db.batch.rows import read_row, row_type
from holdfast.db.queries.filters import STATUS, Filter
from holdfast.db.queries.paging import (
    LIMIT_DEFAULT,
    Found,
    Json,
    Page,
    Part,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    newest,
    page_of,
)

_CARD, _ENTRY = schema.gift_card, schema.gift_card_entry
_CARD_COLUMNS = [_CARD.c[name] for name in row_type(GiftCard).columns]
_ENTRY_COLUMNS = [_ENTRY.c[name] for name in row_type(GiftCardEntry).columns]


class GiftCardFilter(Filter, frozen=True, kw_only=True):
    """Which gift cards."""

    status: Annotated[GiftCardStatus | None, STATUS] = None


def listed(connection: sa.Connection, catalog: Catalog, filters: GiftCardFilter, part: Part) -> Page:
    """A page of gift cards: `{id, hint, balance, currency, status, issued_at}`."""
    where = [] if filters.status is None else [_CARD.c.status == filters.status]
    org_id, before = catalog.settings.id, id_of_cursor(part.cursor)
    found = newest(connection, _CARD, _CARD_COLUMNS, org_id, where, before=before, limit=bounded(part.limit))
    return page_of(
        found,
        bounded(part.limit),
        lambda rows: [_summary(catalog, read_row(GiftCard, row)) for row in rows],
    )


def of_code(
    connection: sa.Connection, catalog: Catalog, code: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT
) -> Json | None:
    """The gift card with that code (in any case), and a page of its entries; `next_cursor` goes on with older ones."""
    kept = read_code(code)
    before = None if cursor is None else decode_cursor(cursor, int)[0]
    if kept is None:
        return None
    own = (_CARD.c.org_id == catalog.settings.id, _CARD.c.code == kept)
    row = connection.execute(sa.select(*_CARD_COLUMNS).where(*own)).first()
    if row is None:
        return None
    card: GiftCard = read_row(GiftCard, row)
    page = _entries(connection, catalog, card, before, bounded(limit))
    fields = _summary(catalog, card)
    return {
        "code": card.code,
        **{name: fields[name] for name in ("balance", "currency", "status", "issued_at")},
        "entries": page.items,
        "next_cursor": page.next_cursor,
    }


def _entries(connection: sa.Connection, catalog: Catalog, card: GiftCard, before: int | None, limit: int) -> Page:
    query = sa.select(*_ENTRY_COLUMNS).where(_ENTRY.c.org_id == catalog.settings.id, _ENTRY.c.card_id == card.id)
    if before is not None:
        query = query.where(_ENTRY.c.seq < before)
    rows = connection.execute(query.order_by(_ENTRY.c.seq.desc()).limit(limit + 1)).all()

    def describe(part: Sequence[Any]) -> list[Json]:
        return [_entry(catalog, read_row(GiftCardEntry, row)) for row in part]

    return page_of(Found(rows), limit, describe, lambda row: encode_cursor(row.seq))


def _summary(catalog: Catalog, card: GiftCard) -> Json:
    settings = catalog.settings
    return {
        "id": card.id,
        "hint": shown_code(card.code),
        "balance": from_minor(card.balance, settings.minor_digits),
        "currency": settings.currency,
        "status": card.status,
        "issued_at": instant_text(card.created_at),
    }


def _entry(catalog: Catalog, entry: GiftCardEntry) -> Json:
    digits = catalog.settings.minor_digits
    return {
        "at": instant_text(entry.created_at),
        "amount": from_minor(entry.amount, digits),
        "balance": from_minor(entry.balance_after, digits),
        "ref_type": entry.ref_type,
        "ref_id": entry.ref_id,
        "cashier": entry.actor,
    }
