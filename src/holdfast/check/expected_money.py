"""What sales, returns, gift cards and drawers must have brought to the accounts; `holdfast.check.books` compares it."""

from __future__ import annotations

from holdfast.check.run import Key


class ExpectedMoney:
    """What sales, returns, gift cards and drawers must have brought to the accounts: minor units, by organisation."""

    def __init__(self) -> None:
        self.by_account: dict[tuple[str, str], int] = {}

    def put(self, org_id: str, account: str, amount: int) -> None:
        """Add to one account."""
        key = (org_id, account)
        self.by_account[key] = self.by_account.get(key, 0) + amount


class PaidAtTills:
    """What was paid in each session of a till apart from the completion of a sale: deposits, what was owed, what went
    back.

    It grows with the sessions at which that happened, not with sales.
    """

    def __init__(self) -> None:
        self._of: dict[Key, list[tuple[str, int]]] = {}

    def take(self, session: Key, method: str, amount: int) -> None:
        """Minor units that came in (negative: went out) by a method."""
        sums = dict(self._of.get(session, ()))
        name = method if amount >= 0 else f"-{method}"
        sums[name] = sums.get(name, 0) + abs(amount)
        self._of[session] = list(sums.items())

    def of(self, session: Key) -> list[tuple[str, int]]:
        """(method, minor units) that came in, and (negative) that went out."""
        return [(name.removeprefix("-"), -sum_ if name[0] == "-" else sum_) for name, sum_ in self._of.get(session, ())]
