"""The free license keys of products: the first of each pool, locked, so that no two sales hand out one.

    free_queries(dialect, org_id, [FreeKeys(product_id, 8), FreeKeys(another_id, 8)])     -> one query

One query for each number of keys that is asked for; there are few such numbers. On PostgreSQL a key that another
transaction holds is waited for, and looked at again when it is let go: sold ones are passed over, so others come.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records import wants
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.stock.posting import Stock
from holdfast.db.batch.rows import row_type
from holdfast.db.batch.session import Query, Row

_KEY = row_type(LicenseKey)

OWED_MAX = 1_000
"""Lines that keys are handed to at once: as many as one command adds."""


def free_queries(dialect: str, org_id: str, asked: Sequence[wants.FreeKeys]) -> list[Query]:
    """A query for each number of keys, the fewest first."""
    return [_query(dialect, org_id, most, products) for most, products in _by_most(asked).items()]


def _by_most(asked: Sequence[wants.FreeKeys]) -> dict[int, list[str]]:
    """The products by how many keys are asked of each."""
    found: dict[int, set[str]] = {}
    for want in asked:
        found.setdefault(want.most, set()).add(want.product_id)
    return {most: sorted(found[most]) for most in sorted(found)}


def _query(dialect: str, org_id: str, most: int, products: list[str]) -> Query:
    parameters = {"org": org_id, "names": msgspec.json.encode(products).decode()}
    if dialect == "postgresql":
        pool = (
            "SELECT * FROM license_key WHERE org_id = :org::uuid AND product_id = k.name::uuid AND status = 'free' "
            f"ORDER BY id LIMIT {most} FOR UPDATE"
        )
        source = f"json_array_elements_text(:names::json) AS k (name) CROSS JOIN LATERAL ({pool}) t"
    else:
        pool = (
            "SELECT f.id FROM license_key f WHERE f.org_id = :org AND f.product_id = k.value AND f.status = 'free' "
            f"ORDER BY f.id LIMIT {most}"
        )
        source = f"json_each(:names) k CROSS JOIN license_key t ON t.org_id = :org AND t.id IN ({pool})"
    return Query(f"SELECT {_KEY.select_as('t')} FROM {source}", parameters)


def take_free(stock: Stock, asked: Sequence[wants.FreeKeys], rows: list[list[Row]]) -> None:
    """Let the stock know the keys, and each want which they are."""
    found: dict[tuple[int, str], list[str]] = {}
    for most, part in zip(_by_most(asked), rows, strict=True):
        for row in part:
            key: LicenseKey = _KEY.read(row)
            stock.know_row(key)
            found.setdefault((most, key.product_id), []).append(key.id)
    for want in asked:
        stock.answers[want] = found.get((want.most, want.product_id), [])


def owed_queries(dialect: str, org_id: str, asked: Sequence[wants.LinesWaitingForKeys]) -> list[Query]:
    """The sales of the oldest lines that keys are owed to: a product, a sale."""
    names = msgspec.json.encode(sorted({want.product_id for want in asked})).decode()
    owed = (
        "SELECT {column} FROM sale_line WHERE org_id = {org} AND product_id = {name} AND keys_owed > 0 "
        f"ORDER BY id LIMIT {OWED_MAX}"
    )
    if dialect == "postgresql":
        lines = owed.format(column="sale_id", org=":org::uuid", name="k.name::uuid")
        products = "json_array_elements_text(:names::json) AS k (name)"
        sql = f"SELECT k.name, t.sale_id FROM {products} CROSS JOIN LATERAL ({lines}) t"
        return [Query(sql, {"org": org_id, "names": names})]
    lines = owed.format(column="id", org=":org", name="k.value")
    found = f"CROSS JOIN sale_line t ON t.org_id = :org AND t.id IN ({lines})"
    sql = f"SELECT k.value, t.sale_id FROM json_each(:names) k {found}"
    return [Query(sql, {"org": org_id, "names": names})]


def take_owed(stock: Stock, asked: Sequence[wants.LinesWaitingForKeys], rows: list[list[Row]]) -> None:
    """The ids of the sales, for each want."""
    for want in asked:
        stock.answers[want] = [str(sale_id) for product_id, sale_id in rows[0] if str(product_id) == want.product_id]
