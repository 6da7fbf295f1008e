"""The owners of everything, users and keys: a change asks for them so that an organisation keeps one.

    queries(dialect, org_id, [Owners()])     -> two queries: users, and keys that do not expire

Nothing of it is locked: who takes an owner away has locked the organisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.core.records.wants import Want
from holdfast.core.stock.posting import Stock
from holdfast.db.batch.session import Query, Row


def queries(_: str, org_id: str, __: Sequence[Want]) -> list[Query]:
    """Those who are active and have the role."""
    where = "org_id = :org AND active AND role = 'owner'"
    users = f"SELECT id, stores FROM app_user WHERE {where}"
    keys = f"SELECT id, stores, permissions, addresses FROM api_key WHERE {where} AND expires_at IS NULL"
    return [Query(users, {"org": org_id}), Query(keys, {"org": org_id})]


def take(stock: Stock, asked: Sequence[Want], rows: list[list[Row]]) -> None:
    """Owners of everything: in all stores, and a key that is narrowed by nothing."""
    nothing: tuple[Any, ...] = ([], "[]", None, "null")
    found = [str(row[0]) for kind in rows for row in kind if all(narrowed in nothing for narrowed in row[1:])]
    for want in asked:
        stock.answers[want] = found
