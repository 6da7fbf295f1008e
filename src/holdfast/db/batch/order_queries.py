"""Orders by (source, number): their sales, and whether they have as many active holds as one order may have.

named_queries(dialect, org_id, [SaleOfOrder("shopify", "1001")])     -> rows of (source, number, sale id)
crowded_queries(dialect, org_id, [Crowded("1001", "shopify")])       -> rows of (number, source), of crowded ones
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records import wants
from holdfast.core.records.sale import NUMBERED_SOURCES
from holdfast.core.stock.posting import Stock
from holdfast.db.batch.session import Query, Row


def named_queries(dialect: str, org_id: str, asked: Sequence[wants.SaleOfOrder]) -> list[Query]:
    """By number, and by the other number that the order may have at a source that is none of ours.

    A source without any sale costs one look, however many of its orders are asked for.
    """
    numbers: dict[str, list[str]] = {}
    for want in asked:
        numbers.setdefault(want.source, []).append(want.order_number)
    outside = {source: named for source, named in numbers.items() if source not in NUMBERED_SOURCES}
    queries = [_numbered(dialect, org_id, "order_number", numbers)]
    return [*queries, _numbered(dialect, org_id, "external_id", outside)] if outside else queries


def _numbered(dialect: str, org_id: str, column: str, numbers: dict[str, list[str]]) -> Query:
    """The sales of each source whose column has one of these numbers: rows of (source, number, id)."""
    names = msgspec.json.encode({source: sorted(named) for source, named in sorted(numbers.items())}).decode()
    if dialect == "postgresql":
        sql = (
            "SELECT k.key, n.number, t.id FROM (SELECT key, value FROM json_each(:names::json) WHERE EXISTS "
            "(SELECT 1 FROM sale WHERE org_id = :org::uuid AND source = key) OFFSET 0) k "
            "CROSS JOIN LATERAL json_array_elements_text(k.value) AS n (number) CROSS JOIN LATERAL "
            f"(SELECT id FROM sale WHERE org_id = :org::uuid AND source = k.key AND {column} = n.number OFFSET 0) t"
        )
    else:
        sql = (
            "SELECT k.key, n.value, t.id FROM json_each(:names) k CROSS JOIN json_each(k.value) n CROSS JOIN sale t "
            f"ON t.org_id = :org AND t.source = k.key AND t.{column} = n.value "
            "WHERE EXISTS (SELECT 1 FROM sale WHERE org_id = :org AND source = k.key)"
        )
    return Query(sql, {"org": org_id, "names": names})


def take_named(stock: Stock, asked: Sequence[wants.SaleOfOrder], rows: list[list[Row]]) -> None:
    """Answer with the sales that were found."""
    del asked
    for source, number, sale_id in (row for found in rows for row in found):
        stock.answers.setdefault(wants.SaleOfOrder(source, number), []).append(str(sale_id))


def crowded_queries(dialect: str, org_id: str, asked: Sequence[wants.Crowded]) -> list[Query]:
    """The orders that have so many active holds: the last of them is looked for, so no more are counted."""
    names = msgspec.json.encode(sorted((want.order_number, want.source) for want in asked)).decode()
    postgresql = dialect == "postgresql"
    keys = "json_array_elements(:names::json) AS k (value)" if postgresql else "json_each(:names) k"
    org = ":org::uuid" if postgresql else ":org"
    last = (
        f"SELECT t.id FROM reservation t WHERE t.org_id = {org} AND t.order_number = k.value ->> 0 "
        f"AND t.source = k.value ->> 1 AND t.status = 'active' LIMIT 1 OFFSET {wants.HOLDS_MAX - 1}"
    )
    sql = f"SELECT k.value ->> 0, k.value ->> 1 FROM {keys} WHERE EXISTS ({last})"
    return [Query(sql, {"org": org_id, "names": names})]


def take_crowded(stock: Stock, _: Sequence[wants.Crowded], rows: list[list[Row]]) -> None:
    """Answer what the query found."""
    for number, source in rows[0]:
        stock.answers[wants.Crowded(number, source)] = [number]
