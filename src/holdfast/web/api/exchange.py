"""What comes back in exchange, at the till and when a sale is completed, as JSON and in the core.

"returns": [{"sale_id": "...", "lines": [{"line_id": "...", "quantity": 1}]}], "refund": {"method": "cash"}
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from holdfast.core.records.sale import LINES_MAX
from holdfast.core.sales.exchange import RETURNS_MAX, Exchanged, ExchangedSale
from holdfast.web.api.returns import ReturnLineBody, returned_line
from holdfast.web.api.sale_bodies import RefundBody, Refunds, own_id, refund_requests
from holdfast.web.http.problems import invalid
from holdfast.web.http.strict_json import Text


class ExchangedBody(msgspec.Struct, forbid_unknown_fields=True):
    """Goods of a sale that come back for those that are sold."""

    sale_id: Text
    lines: Annotated[list[ReturnLineBody], Meta(min_length=1, max_length=LINES_MAX)]


ExchangedSales = Annotated[list[ExchangedBody], Meta(max_length=RETURNS_MAX)]


def exchanged(returns: list[ExchangedBody], refund: RefundBody | None, refunds: Refunds | None) -> Exchanged | None:
    """What comes back in exchange; `refund` or `refunds` say how what is too much of it goes back."""
    if not returns:
        if refund is not None or refunds is not None:
            raise invalid("refund", "is for goods that come back: name them in `returns`.")
        return None
    if refund is not None and refunds is not None:
        raise invalid("refunds", "give them or `refund`, not both.")
    sales = tuple(
        ExchangedSale(
            own_id(one.sale_id),
            tuple(returned_line(f"returns.{index}.lines.{at}", line) for at, line in enumerate(one.lines)),
        )
        for index, one in enumerate(returns)
    )
    if refund is None:
        return Exchanged(sales, None, refund_requests(refunds))
    return Exchanged(sales, refund.method, None, refund.code)
