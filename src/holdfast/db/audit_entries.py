"""The queries of `holdfast check` about entries by hand: reversals beside what they take back, bills beside receipts.

    reversals(org_id, is_sqlite=True)     -> rows (organisation, entry, same reference, lines without an opposite)
    bills(org_id)                         -> rows (organisation, receipt, received, cleared, bills that stand)

With an organisation they are about it alone (`:org`). Amounts are minor units.
"""

from __future__ import annotations


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
    on_goods = "CASE WHEN l.account = '2000' THEN l.amount ELSE 0 END"
    return (
        "SELECT b.org_id, b.ref_id, "
        f"-sum(CASE WHEN t.ref_type = 'RECEIPT' THEN {on_goods} ELSE 0 END), "
        f"sum(CASE WHEN t.ref_type = 'BILL' THEN {on_goods} ELSE 0 END), b.standing "
        "FROM (SELECT t.org_id, t.ref_id, sum(CASE WHEN t.reverses IS NULL THEN 1 ELSE -1 END) AS standing "
        f"FROM journal_entry t WHERE {_of(org_id)} t.ref_type = 'BILL' AND t.ref_id IS NOT NULL "
        "GROUP BY t.org_id, t.ref_id) b "
        "JOIN journal_entry t ON t.org_id = b.org_id AND t.ref_id = b.ref_id AND t.ref_type IN ('RECEIPT', 'BILL') "
        "JOIN posting l ON l.org_id = t.org_id AND l.entry_id = t.id "
        "GROUP BY b.org_id, b.ref_id, b.standing ORDER BY 1, 2"
    )


def _of(org_id: str | None) -> str:
    return "" if org_id is None else "t.org_id = :org AND"
