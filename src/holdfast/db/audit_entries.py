"""The queries of `holdfast check` about what names something else: reversals and what they take back, bills and
receipts, lines of sales and their license keys.

    reversals(org_id, is_sqlite=True)     -> rows (organisation, entry, same reference, lines without an opposite)
    bills(org_id)                         -> rows (organisation, receipt, received, cleared, bills that stand)

With an organisation they are about it alone (`:org`). Amounts are minor units.
"""

from __future__ import annotations

BESIDE_KEYS = (
    "LEFT JOIN sale_line l ON l.org_id = t.org_id AND l.id = t.line_id "
    "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id"
)
"""What stands beside a license key: its line, and its product."""


def reversals(org_id: str | None, *, is_sqlite: bool) -> str:
    """Entries that take others back, by id. An entry by hand is referred to by its id."""
    first = "f.id" if is_sqlite else 'f.id::text COLLATE "C"'
    lines = (
        "(SELECT count(*) FROM (SELECT l.account, sum(l.amount) FROM posting l "
        f"WHERE l.org_id = {'t.org_id' if org_id is None else ':org'} AND l.entry_id IN (t.id, t.reverses) "
        "GROUP BY l.account, l.tax_name, l.tax_rate HAVING sum(l.amount) <> 0 OR count(*) <> 2) o)"
    )
    return (
        "SELECT t.org_id, t.id, f.ref_type = t.ref_type AND "
        f"t.ref_id = CASE WHEN t.ref_type = 'ENTRY' THEN {first} ELSE f.ref_id END AND f.reverses IS NULL, {lines} "
        "FROM journal_entry t LEFT JOIN journal_entry f ON f.org_id = t.org_id AND f.id = t.reverses "
        f"WHERE {_of(org_id)} t.reverses IS NOT NULL ORDER BY t.org_id, t.id"
    )


def bills(org_id: str | None) -> str:
    """Receipts with bills, by id."""
    named = ("", "") if org_id is None else (" AND t.org_id = :org", " AND l.org_id = :org")
    on_goods = "CASE WHEN l.account = '2000' THEN l.amount ELSE 0 END"
    return (
        "SELECT b.org_id, b.ref_id, "
        f"-sum(CASE WHEN t.ref_type = 'RECEIPT' THEN {on_goods} ELSE 0 END), "
        f"sum(CASE WHEN t.ref_type = 'BILL' THEN {on_goods} ELSE 0 END), b.standing "
        "FROM (SELECT t.org_id, t.ref_id, sum(CASE WHEN t.reverses IS NULL THEN 1 ELSE -1 END) AS standing "
        f"FROM journal_entry t WHERE {_of(org_id)} t.ref_type = 'BILL' AND t.ref_id IS NOT NULL "
        "GROUP BY t.org_id, t.ref_id) b "
        "JOIN journal_entry t ON t.org_id = b.org_id AND t.ref_id = b.ref_id "
        f"AND t.ref_type IN ('RECEIPT', 'BILL'){named[0]} "
        f"JOIN posting l ON l.org_id = t.org_id AND l.entry_id = t.id{named[1]} "
        "GROUP BY b.org_id, b.ref_id, b.standing ORDER BY 1, 2"
    )


def keyed_lines(org_id: str | None) -> str:
    """Lines of sales that got license keys, or wait for some, by id."""
    whose = "t.org_id" if org_id is None else ":org"
    keys = f"SELECT count(*) FROM license_key k WHERE k.org_id = {whose} AND k.line_id = t.id AND k.sale_id = t.sale_id"
    named = "" if org_id is None else " AND s.org_id = :org"
    return (
        f"SELECT t.org_id, t.id, t.key_ids, t.keys_owed, t.fulfilled, t.returned, s.status, ({keys}) FROM sale_line t "
        f"LEFT JOIN sale s ON s.org_id = t.org_id AND s.id = t.sale_id{named} WHERE {_of(org_id)} "
        "(t.key_ids IS NOT NULL OR t.keys_owed <> 0) ORDER BY t.org_id, t.id"
    )


def keys_added(org_id: str | None) -> str:
    """What the audit log says of license keys that were added, by product."""
    return (
        f"SELECT t.org_id, t.record_id, t.changes FROM audit t WHERE {_of(org_id)} t.kind = 'license_key' "
        "AND t.action = 'add'"
    )


def _of(org_id: str | None) -> str:
    return "" if org_id is None else "t.org_id = :org AND"
