"""The organisation's own records, each kind described once: its table, its Struct, its noun, its unique name.

    KINDS["product"].noun, .name          -> "Product", "sku"
    put(stock, "store", store)            -> kept, seen by the rest of the batch, and written into the audit log

Nothing is deleted: a removed record is no longer active, and its name is free again. What may change when is decided in
`products`, `places` (stores, locations), `users`, `settings` (tax rates and registers too), `keys` and `sign_in`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from holdfast.core.records.organisation import Location, Register, Settings, Store, TaxRate
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, not_found
from holdfast.core.records.wants import RecordsNamed
from holdfast.core.stock.posting import Stock


class User(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person who signs in. Empty `stores` means all.

    `pin_index` narrows the search for a PIN; None beside a PIN of an older version. A `first_password` was chosen by
    somebody else and must be changed. Sessions begun before `sessions_from` (microseconds) have ended.
    """

    id: str
    email: str
    password_hash: str
    role: str
    stores: tuple[str, ...] = ()
    pin_hash: str | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0
    pin_index: int | None = None
    first_password: bool = False
    sessions_from: int = 0


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A program's key; only the hash of its secret is kept, and the secret's last characters (`hint`).

    Empty `stores` means all, no `permissions` all of the role, no `addresses` any. After `expires_at` it is dead. What
    it was before it was rolled is `previous_...`, good until `previous_until`. From `sessions_from` on the tills that
    it opened before need a PIN: the secret that opened them is gone. `last_used_at` is at most some minutes old. Times
    are microseconds since 1970.
    """

    id: str
    name: str
    key_hash: str
    role: str
    stores: tuple[str, ...] = ()
    hint: str | None = None
    permissions: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    expires_at: int | None = None
    previous_hash: str | None = None
    previous_hint: str | None = None
    previous_until: int | None = None
    sessions_from: int | None = None
    last_used_at: int | None = None
    active: bool = True
    created_at: int = 0
    updated_at: int = 0


class Audit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line of the audit log: who changed which record how. What concerns stock is in the ledger instead.

    `address` is where the request came from, `request_id` names it; both are known of what came over HTTP.
    """

    id: str
    actor: str
    action: str
    kind: str
    record_id: str
    changes: dict[str, Any]
    created_at: int
    address: str | None = None
    request_id: str | None = None


SECRET = {"password_hash", "pin_hash", "key_hash", "previous_hash"}
"""Fields whose values the audit log does not repeat."""

UNTOLD = {"id", "created_at", "updated_at", "pin_index", "sessions_from"}
"""Fields that the audit log leaves out: they go without saying, or would say something of a secret."""


class Kind(NamedTuple):
    """A kind of record.

    `name` is the field by which an active record is unique in its organisation (None: by nothing), `missing` the code
    for one that does not exist. Decisions look up those of the `catalog`; `kept` ones are found when they are not
    active any more as well.
    """

    table: str
    struct: type[Any]
    noun: str
    name: str | None = None
    missing: Code = Code.NOT_FOUND
    catalog: bool = False
    kept: bool = False


KINDS: dict[str, Kind] = {
    kind.table: kind
    for kind in (
        Kind("organisation", Settings, "Organisation", catalog=True, kept=True),
        Kind("store", Store, "Store", "code", Code.STORE_NOT_FOUND, catalog=True),
        Kind("location", Location, "Location", "code", Code.LOCATION_NOT_FOUND, catalog=True),
        Kind("product", Product, "Product", "sku", Code.PRODUCT_NOT_FOUND, catalog=True, kept=True),
        Kind("app_user", User, "User", "email"),
        Kind("api_key", ApiKey, "API key"),
        Kind("tax_rate", TaxRate, "Tax rate", catalog=True),
        Kind("register", Register, "Register", "code"),
    )
}
"""The kinds of records by their table, parents before children."""


def put(stock: Stock, table: str, record: Any) -> None:
    """Set the record and write down who changed what of it."""
    old = stock.records.get((table, record.id))
    before = {} if old is None else msgspec.to_builtins(old)
    changes = {
        name: "(secret)" if name in SECRET else value
        for name, value in msgspec.to_builtins(record).items()
        if before.get(name) != value and name not in UNTOLD
    }
    stock.put_record(table, record.id, record)
    if table in KINDS and KINDS[table].catalog:
        stock.put_in_catalog(record)
    action = "add" if old is None else ("remove" if changes.get("active") is False else "change")
    note(stock, action, table, record.id, changes)


def note(stock: Stock, action: str, kind: str, record_id: str, changes: dict[str, Any]) -> None:
    """Write a line into the audit log."""
    audit_id = stock.new_id()
    audit = Audit(
        id=audit_id,
        actor=stock.caller.actor,
        action=action,
        kind=kind,
        record_id=record_id,
        changes=changes,
        created_at=stock.now,
        address=stock.caller.address,
        request_id=stock.caller.request_id,
    )
    stock.put_record("audit", audit_id, audit)


def existing(stock: Stock, table: str, record_id: str) -> Any:
    """The record, locked; or the refusal that says that there is none."""
    kind = KINDS[table]
    record = stock.record(table, record_id)
    if record is None or not (kind.kept or record.active):
        raise not_found(kind.missing, kind.noun, record_id)
    return record


def written(stock: Stock, table: str) -> list[Any]:
    """The records of the kind that this batch has read or written, as they stand now."""
    return stock.records_of(table)


def lock_organisation(stock: Stock) -> None:
    """Let no other batch change the organisation's records between a look at all of them and the write."""
    stock.record("organisation", stock.org_id)


def refuse_taken_name(stock: Stock, table: str, value: str, own_id: str | None) -> None:
    """Refuse a SKU, code or email that another active record has."""
    kind = KINDS[table]
    assert kind.name is not None, table
    others = stock.unread(stock.require(RecordsNamed(table, value)), table)
    others.update(
        record.id for record in written(stock, table) if getattr(record, kind.name) == value and record.active
    )
    if others - {own_id}:
        raise Refused(Code.ALREADY_EXISTS, f"{kind.noun} {value!r} exists already.", {"field": kind.name})
