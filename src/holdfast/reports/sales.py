"""Sales: carts and orders, returns, what suppliers ship, tax rates, registers and their sessions."""

from __future__ import annotations

from holdfast.db.queries import registers, sales
from holdfast.db.queries.paging import EMPTY, Json, Page
from holdfast.reports.view import LIMIT_DEFAULT, Stores, View, instant


class SaleReports(View):
    """Sales."""

    # Sales -----------------------------------------------------------------------------------------------------------

    def sales(
        self,
        org_id: str,
        *,
        status: str | None = None,
        store: str | None = None,
        source: str | None = None,
        order_number: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Sales with lines (docs/how-to/sell.md); `order_number` is the channel's, or our own number."""
        wanted = sales.Filter(status=status, store=store, source=source, order_number=order_number, stores=stores)
        return self._read(org_id, EMPTY, sales.listed, wanted, cursor=cursor, limit=limit, now=instant(now))

    def sale(
        self,
        org_id: str,
        sale_id: str,
        *,
        stores: Stores = None,
        completed_anywhere: bool = False,
        now: int | None = None,
    ) -> Json | None:
        """A sale; with `completed_anywhere` a completed one of any store: its goods can be brought back to all."""
        return self._read(org_id, None, sales.one, sale_id, stores, instant(now), completed_anywhere=completed_anywhere)

    def returns(
        self,
        org_id: str,
        *,
        sale_id: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Returns, of a sale or all."""
        return self._read(org_id, EMPTY, sales.returns, sale_id=sale_id, stores=stores, cursor=cursor, limit=limit)

    def return_(self, org_id: str, return_id: str, *, stores: Stores = None) -> Json | None:
        """A return."""
        return self._read(org_id, None, sales.one_return, return_id, stores)

    def supplier_orders(
        self,
        org_id: str,
        *,
        status: str | None = None,
        sale_id: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Lines of sales that suppliers ship."""
        return self._read(
            org_id,
            EMPTY,
            sales.supplier_orders,
            status=status,
            sale_id=sale_id,
            stores=stores,
            cursor=cursor,
            limit=limit,
        )

    def tax_rates(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active tax rates: `{id, tax_class, rate: "0.15", store_id, name, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, sales.tax_rates, stores, cursor, limit)

    def tax_rate(self, org_id: str, rate_id: str, *, stores: Stores = None) -> Json | None:
        """An active tax rate."""
        return self._read(org_id, None, sales.tax_rate, rate_id, stores)

    # Registers -------------------------------------------------------------------------------------------------------

    def registers(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active registers: `{id, store_id, code, name, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, registers.listed, stores, cursor, limit)

    def register(self, org_id: str, ref: str) -> Json | None:
        """A register by id (also a removed one) or code."""
        return self._read(org_id, None, registers.one, ref)

    def register_sessions(
        self,
        org_id: str,
        register_id: str,
        *,
        may_see_cash: bool = True,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """The sessions of a register; what should be in an open drawer only with `may_see_cash`."""
        return self._read(org_id, EMPTY, registers.sessions, register_id, may_see_cash, cursor, limit)

    def register_session(self, org_id: str, register_id: str, number: int, *, may_see_cash: bool = True) -> Json | None:
        """A session of a register by its number: the Z report when it is closed."""
        return self._read(org_id, None, registers.session_of_number, register_id, number, may_see_cash)

    def register_session_by_id(self, org_id: str, session_id: str, *, may_see_cash: bool = True) -> Json | None:
        """A register session by its id."""
        return self._read(org_id, None, registers.session, session_id, may_see_cash)
