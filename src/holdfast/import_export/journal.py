"""The journal as a file for accountants: a CSV line a posting, or a Beancount ledger.

    write_csv(export_journal(database, organisation), JOURNAL_EXPORT, sys.stdout)
    sys.stdout.writelines(beancount(database, organisation))

A Beancount account is named by its kind, code and first name (`Assets:1000-Cash`), so that renaming one does not tear
its history apart; what it is called now stands beside it. Both are written while they are read, whatever their size.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from holdfast.core.records.number import from_minor
from holdfast.core.records.time import instant_text
from holdfast.core.stock.journal import ACCOUNTS, account_kind
from holdfast.db.bulk import journal_rows
from holdfast.db.engine import Database
from holdfast.db.organisations import OrganisationRow
from holdfast.db.queries.books import account_names

JOURNAL_EXPORT = (
    "entry_id",
    "at",
    "day",
    "description",
    "ref_type",
    "ref_id",
    "actor",
    "account",
    "name",
    "debit",
    "credit",
    "currency",
    "reverses",
)

_ROOTS = {
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
    "income": "Income",
    "expense": "Expenses",
}
_OPENED = "1970-01-01"
"""Accounts are open from the beginning of time, before whatever was posted first."""


def export_journal(database: Database, organisation: OrganisationRow) -> Iterator[dict[str, Any]]:
    """Every posting as it goes outside, oldest entry first."""
    names = _names(database, organisation)
    for row in journal_rows(database, organisation.id):
        yield {
            "entry_id": row.id,
            "at": instant_text(row.at),
            "day": row.day,
            "description": row.description,
            "ref_type": row.ref_type,
            "ref_id": row.ref_id,
            "actor": row.actor,
            "account": row.account,
            "name": names.get(row.account, row.account),
            "debit": from_minor(max(row.amount, 0), organisation.minor_digits),
            "credit": from_minor(max(-row.amount, 0), organisation.minor_digits),
            "currency": organisation.currency,
            "reverses": row.reverses,
        }


def beancount(database: Database, organisation: OrganisationRow) -> Iterator[str]:
    """The journal as pieces of a Beancount ledger: a header, then a piece a posting."""
    names = _names(database, organisation)
    currency = organisation.currency
    yield f'option "title" {_quoted(organisation.name)}\noption "operating_currency" "{currency}"\n\n'
    for code, name in names.items():
        yield f"{_OPENED} open {beancount_account(code)} {currency}\n  name: {_quoted(name)}\n"
    entry = None
    for row in journal_rows(database, organisation.id):
        piece = ""
        if row.account not in names:  # added while this is written
            names[row.account] = row.account
            yield f"{_OPENED} open {beancount_account(row.account)} {currency}\n"
        if row.id != entry:
            entry = row.id
            piece = f'\n{row.day} * {_quoted(row.description)}\n  id: "{row.id}"\n  at: "{instant_text(row.at)}"\n'
            piece += f"  ref: {_quoted(' '.join(filter(None, (row.ref_type, row.ref_id))))}\n"
            piece += f"  actor: {_quoted(row.actor)}\n"
            piece += f'  reverses: "{row.reverses}"\n' if row.reverses is not None else ""
        amount = from_minor(row.amount, organisation.minor_digits)
        yield f"{piece}  {beancount_account(row.account)}  {amount} {currency}\n"


def beancount_account(code: str) -> str:
    """`Assets:1000-Cash`: the kind, the code, and what the account was called at first where we named it."""
    words = "-".join(re.findall(r"[A-Za-z]+", ACCOUNTS.get(code, "")))
    return f"{_ROOTS[account_kind(code)]}:{code}{'-' if words else ''}{words}"


def _names(database: Database, organisation: OrganisationRow) -> dict[str, str]:
    with database.reading() as connection:
        return account_names(connection, organisation.id)


def _quoted(text: str) -> str:
    """The text as a Beancount string; what would end it or its line is written otherwise."""
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
