"""Journal entries with their postings, as decisions ask for them: by id, or by what they refer to.

    named_queries(dialect, org_id, [EntryById(entry_id)])        -> two queries: the entries, their postings
    about_queries(dialect, org_id, [EntriesOf(receipt_id)])   -> the same for all that refers to the receipt

Nothing of it is locked: entries never change. Who must see the last one has locked what they refer to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from holdfast.core.records import wants
from holdfast.core.records.text import uuid_text
from holdfast.core.stock.journal import JournalEntry, Posting
from holdfast.core.stock.posting import Stock
from holdfast.db.batch.rows import row_type
from holdfast.db.batch.session import Query, Row

_ENTRY, _POSTING = row_type(JournalEntry), row_type(Posting)


def named_queries(dialect: str, org_id: str, asked: Sequence[wants.EntryById]) -> list[Query]:
    """The entries with these ids; a text that is no id names none."""
    ids = (name for want in asked if (name := uuid_text(want.entry_id)) is not None)
    return _queries(dialect, org_id, "id", "uuid", ids)


def about_queries(dialect: str, org_id: str, asked: Sequence[wants.EntriesOf]) -> list[Query]:
    """The entries that refer to these ids."""
    return _queries(dialect, org_id, "ref_id", "text", (want.ref_id for want in asked))


def _queries(dialect: str, org_id: str, column: str, kind: str, keys: Iterable[str]) -> list[Query]:
    parameters = {"org": org_id, "names": msgspec.json.encode(sorted(set(keys))).decode()}
    if dialect == "postgresql":
        entries = (
            "json_array_elements_text(:names::json) AS k (name) CROSS JOIN LATERAL (SELECT * FROM journal_entry "
            f"WHERE org_id = :org::uuid AND {column} = k.name::{kind} OFFSET 0) e"
        )
        postings = (
            f"{entries} CROSS JOIN LATERAL (SELECT * FROM posting "
            "WHERE org_id = :org::uuid AND entry_id = e.id OFFSET 0) p"
        )
    else:
        entries = f"json_each(:names) k CROSS JOIN journal_entry e ON e.org_id = :org AND e.{column} = k.value"
        postings = f"{entries} CROSS JOIN posting p ON p.org_id = :org AND p.entry_id = e.id"
    return [
        Query(f"SELECT {_ENTRY.select_as('e')} FROM {entries}", parameters),
        Query(f"SELECT {_POSTING.select_as('p')} FROM {postings}", parameters),
    ]


def take(stock: Stock, _: Sequence[Any], rows: list[list[Row]]) -> None:
    """Let the stock know the entries and their postings."""
    for kind, found in zip((_ENTRY, _POSTING), rows, strict=True):
        for row in found:
            stock.know_row(kind.read(row))
