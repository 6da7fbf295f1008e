"""What sales, returns, gift cards and drawers must have brought to the accounts; `holdfast.check.books` compares it."""

from __future__ import annotations

from holdfast.core.records.sale import Sale


class ExpectedMoney:
    """What sales, returns, gift cards and drawers must have brought to the accounts: minor units, by organisation."""

    def __init__(self) -> None:
        self.by_account: dict[tuple[str, str], int] = {}

    def put(self, org_id: str, account: str, amount: int) -> None:
        """Add to one account."""
        key = (org_id, account)
        self.by_account[key] = self.by_account.get(key, 0) + amount


def tendered(sale: Sale) -> tuple[int, int]:
    """(cash that stayed in the drawer, what was paid by other methods)."""
    cash = sum(payment.amount for payment in sale.payments if payment.method == "cash") - sale.change
    return cash, sum(payment.amount for payment in sale.payments if payment.method != "cash")
