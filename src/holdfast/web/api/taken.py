"""A sale that somebody else has taken out of the queue already: who, and at which register.

    explain_taken(call, rejected)     -> the same refusal, with `resumed_by` and `register`

The refusal of the core stays as it is. Who has the sale was read afterwards; the same caller may have it.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.records.status import OPEN
from holdfast.web.http.route import Call, uuid_text


def explain_taken(call: Call, rejected: Rejected) -> Rejected:
    """The refusal to resume an open sale, with who has it."""
    if rejected.code != Code.INVALID_STATE or rejected.numbers.get("sale_status") != OPEN:
        return rejected
    sale_id = uuid_text(call.args.get("id", ""))
    taker = None if sale_id is None else call.shop.reports.taker_of_sale(call.actor.org_id, sale_id)
    if taker is None:
        return rejected
    return msgspec.structs.replace(rejected, numbers={**rejected.numbers, **taker})
