"""API keys: what they may do, from where, until when; and how their secret is exchanged.

    AddKey(name="till", role="cashier", key_hash=..., hint="x9Zt")    -> a key; its secret was made at the door
    AddKey(..., permissions=("stock:read",), addresses=("203.0.113.0/24",), expires_at=...)
    RollKey(key_id, key_hash=..., hint="b41Q", overlap_hours=24)        -> a new secret; the old one works for a day

In a change `UNSET` leaves a field as it is, None takes it away. Refused is to make, change, roll or remove a key that
may do more than the caller (role, stores, permissions), to name a permission that the role has not, an expiry that is
past, and what would leave the organisation without an owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import ApiKey, existing, put
from holdfast.core.organisation.pin import Digest
from holdfast.core.organisation.users import Stores, refuse_grant, refuse_last_owner, stores_of, with_stores
from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.field import Instant, Network, Text
from holdfast.core.records.permission import Permission, Rights, Role, RoleName
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

ADDRESSES_MAX = 100
"""Most address ranges of a key."""

OVERLAP_HOURS_MAX = 30 * 24
OVERLAP_HOURS = 24
"""How long the old secret of a rolled key works where nothing is said."""

_HOUR = 3_600_000_000
"""Microseconds."""

Permissions = Annotated[tuple[Permission, ...], Meta(min_length=1, max_length=len(Permission))]
"""What of the role's permissions a key has."""

Addresses = Annotated[tuple[Network, ...], Meta(min_length=1, max_length=ADDRESSES_MAX)]
"""From where a key may be used."""

Hint = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{4}$")]
"""The last four characters of a secret."""

Hours = Annotated[int, Meta(ge=0, le=OVERLAP_HOURS_MAX)]
"""How long an old secret goes on working."""


class AddKey(Command, frozen=True, gc=False, kw_only=True):
    """An API key; no stores mean all of them. `holdfast.organisation.new_key` makes it with its secret."""

    name: Text
    key_hash: Digest
    role: RoleName
    stores: Stores = ()
    hint: Hint | None = None
    permissions: Permissions | None = None
    addresses: Addresses | None = None
    expires_at: Instant | None = None


class ChangeKey(Command, frozen=True, gc=False):
    """Change an API key."""

    key_id: str
    name: Text | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET
    permissions: Permissions | UnsetType | None = UNSET
    addresses: Addresses | UnsetType | None = UNSET
    expires_at: Instant | UnsetType | None = UNSET


class RollKey(Command, frozen=True, gc=False, kw_only=True):
    """Give a key a new secret; the old one works for some hours more. `holdfast.organisation.rolled_key` makes it."""

    key_id: str
    key_hash: Digest
    hint: Hint | None = None
    overlap_hours: Hours = OVERLAP_HOURS


class RemoveKey(Command, frozen=True, gc=False):
    """Revoke an API key."""

    key_id: str


def add_key(stock: Stock, command: AddKey) -> ApiKey:
    """Decide an AddKey."""
    stores = stores_of(stock, command.stores)
    fields = {**msgspec.structs.asdict(command), "stores": stores, "permissions": _sorted(command.permissions)}
    key = ApiKey(id=stock.new_id(), **fields, created_at=stock.now, updated_at=stock.now)
    _refuse_key(stock, key, key.expires_at)
    put(stock, "api_key", key)
    return key


def change_key(stock: Stock, command: ChangeKey) -> ApiKey:
    """Decide a ChangeKey."""
    key = _own(stock, command.key_id)
    fields = with_stores(stock, given(command, "key_id"))
    if "permissions" in fields:
        fields["permissions"] = _sorted(fields["permissions"])
    changed = replace(key, **fields, updated_at=stock.now)
    _refuse_key(stock, changed, fields.get("expires_at"))
    refuse_last_owner(stock, key, changed)
    put(stock, "api_key", changed)
    if changed.role != key.role:
        stock.tell("KeyRoleChanged", None, {"key_id": key.id, "role": changed.role, "before": key.role})
    return changed


def roll_key(stock: Stock, command: RollKey) -> ApiKey:
    """Decide a RollKey: whatever secret the key had before the present one is dead at once.

    A key may roll itself: the new secret may do what the old one may, within the same bounds.
    """
    itself = stock.caller.id == command.key_id
    key = existing(stock, "api_key", command.key_id) if itself else _own(stock, command.key_id)
    if key.expires_at is not None and key.expires_at <= stock.now:
        raise invalid_state("The key has expired: a new secret would not work either. Change its expires_at first.")
    until = stock.now + command.overlap_hours * _HOUR if command.overlap_hours else None
    rolled = replace(
        key,
        key_hash=command.key_hash,
        hint=command.hint,
        previous_hash=key.key_hash if command.overlap_hours else None,
        previous_hint=key.hint if command.overlap_hours else None,
        previous_until=until,
        sessions_from=until or stock.now,
        updated_at=stock.now,
    )
    put(stock, "api_key", rolled)
    return rolled


def remove_key(stock: Stock, command: RemoveKey) -> ApiKey:
    """Decide a RemoveKey."""
    key = _own(stock, command.key_id)
    removed = replace(key, active=False, updated_at=stock.now)
    refuse_last_owner(stock, key, removed)
    put(stock, "api_key", removed)
    return removed


def rights_of(key: ApiKey) -> Rights:
    """What a key may do. A permission that this version does not know is none."""
    known = None if key.permissions is None else frozenset(one for one in Permission if one in key.permissions)
    return Rights(Role(key.role), frozenset(key.stores), known)


def _own(stock: Stock, key_id: str) -> ApiKey:
    """The key, locked; refused when there is none, or when it may do more than the caller."""
    key: ApiKey = existing(stock, "api_key", key_id)
    refuse_grant(stock, rights_of(key))
    return key


def _refuse_key(stock: Stock, key: ApiKey, expires_at: Any) -> None:
    """Refuse a key that cannot be as it would become: `expires_at` is what was asked for."""
    refuse_grant(stock, rights_of(key))
    role = Rights(Role(key.role))
    for name in key.permissions or ():
        if not role.has(Permission(name)):
            raise malformed("permissions", f"the role {key.role} does not have {name}.")
    if expires_at is not None and expires_at <= stock.now:
        raise Refused(Code.INVALID_EXPIRY, "expires_at must be in the future.", {"field": "expires_at"})


def _sorted(permissions: Iterable[Permission] | None) -> tuple[str, ...] | None:
    """The names of the permissions, each once, in the order in which they are declared."""
    return None if permissions is None else tuple(one.value for one in Permission if one in set(permissions))


DECISIONS = (
    Decision(AddKey, add_key, Permission.CONFIGURE, changes_catalog=True),
    Decision(ChangeKey, change_key, Permission.CONFIGURE, changes_catalog=True),
    Decision(RollKey, roll_key, Permission.CONFIGURE, changes_catalog=True),
    Decision(RemoveKey, remove_key, Permission.CONFIGURE, changes_catalog=True),
)
