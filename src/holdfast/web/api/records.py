"""What records over HTTP share: the stores that they name, and who may touch them.

stores ["MAIN"] of a caller limited to EAST      -> 403
"""

from __future__ import annotations

from holdfast.access import Role
from holdfast.core.records.currency import minor_digits_of
from holdfast.core.records.organisation import Settings
from holdfast.core.records.rejection import Code
from holdfast.web.http.problems import Problem
from holdfast.web.http.route import Call, found


def settings_of(call: Call) -> Settings:
    """What conversions need of the organisation's settings."""
    fields = call.shop.reports.settings(call.actor.org_id)
    assert fields is not None, "an actor belongs to an organisation"
    currency = fields["currency"]
    return Settings(
        id=call.actor.org_id,
        name=fields["name"],
        currency=currency,
        minor_digits=minor_digits_of(currency),
        timezone=fields["timezone"],
    )


def store_ids(call: Call, names: list[str] | None) -> tuple[str, ...]:
    """The ids of stores given by id or code, each once."""
    ids = []
    for name in names or ():
        store = found(call.shop.reports.store(call.actor.org_id, name), Code.STORE_NOT_FOUND, "Store", name)
        if store["id"] not in ids:
            ids.append(store["id"])
    return tuple(ids)


def require_grant(call: Call, role: str, stores: tuple[str, ...]) -> None:
    """Nobody may make, change or remove a user or key above their own role or beyond their own stores."""
    if not call.actor.may_grant(Role(role), stores):
        raise Problem("FORBIDDEN", "You may not give more than you have: not a higher role, not other stores.")


def require_store(call: Call, store_id: str) -> None:
    """Who is limited to stores may not touch the records of another."""
    if call.stores is not None and store_id not in call.stores:
        raise Problem("FORBIDDEN", "You may not act in that store.")
