"""Users: who works in the organisation, with which role, in which stores; and who may give what to whom.

    AddUser(email="bo@shop.example", role="cashier", password_hash=...) -> a user; a password is hashed at the door
    ChangeUser(user_id, role="manager")                                 -> the user as they are now

In a change `UNSET` leaves a field as it is, None takes it away. An organisation is never left without an owner. Nobody
makes, changes or removes a user who may do more than they may, before the change or after it; the lock of the user's
row is held while this is tested, so a user cannot become more in between.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import ApiKey, User, existing, lock_organisation, name_refusal, put, written
from holdfast.core.organisation.pin import NewPin, pin_refusal
from holdfast.core.organisation.places import store_id_of
from holdfast.core.records.command import Command, Decision, given
from holdfast.core.records.field import Email, Text
from holdfast.core.records.permission import GRANT_WORDS, Permission, Rights, Role, RoleName
from holdfast.core.records.rejection import Code, Rejected, invalid_state
from holdfast.core.records.wants import Owners
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

STORES_MAX = 1000

PasswordHash = Annotated[str, Meta(pattern=r"^\$argon2[a-z]*\$", max_length=500)]
"""What `holdfast.organisation.password_hash` made: it takes too long to be made under a lock."""

Stores = Annotated[tuple[Text, ...], Meta(max_length=STORES_MAX)]
"""Stores by id or code; none: all of them."""


class AddUser(Command, frozen=True, gc=False, kw_only=True):
    """A user; no stores mean all of them. `holdfast.organisation.new_user` makes it of a password."""

    email: Email
    password_hash: PasswordHash
    role: RoleName
    stores: Stores = ()
    pin: NewPin | None = None
    first_password: bool = False


class ChangeUser(Command, frozen=True, gc=False):
    """Change a user."""

    user_id: str
    email: Email | UnsetType = UNSET
    password_hash: PasswordHash | UnsetType = UNSET
    role: RoleName | UnsetType = UNSET
    stores: Stores | UnsetType = UNSET
    pin: NewPin | UnsetType | None = UNSET
    first_password: bool | UnsetType = UNSET


class RemoveUser(Command, frozen=True, gc=False):
    """Take away a user."""

    user_id: str


# Settings ------------------------------------------------------------------------------------------------------------


# Users ---------------------------------------------------------------------------------------------------------------


def add_user(stock: Stock, command: AddUser) -> User | Rejected:
    """Decide an AddUser."""
    stores = stores_of(stock, command.stores)
    if isinstance(stores, Rejected):
        return stores
    refused = name_refusal(stock, "app_user", command.email, None)
    if refused is None and command.pin is not None:
        refused = pin_refusal(stock, command.pin, "")
    if refused is not None:
        return refused
    user = User(
        id=stock.new_id(),
        email=command.email,
        password_hash=command.password_hash,
        role=command.role,
        stores=stores,
        pin_hash=None if command.pin is None else command.pin.hash,
        pin_index=None if command.pin is None else command.pin.index,
        first_password=command.first_password,
        created_at=stock.now,
        updated_at=stock.now,
    )
    refused = _grant_refusal(stock, user)
    if refused is not None:
        return refused
    put(stock, "app_user", user)
    return user


def change_user(stock: Stock, command: ChangeUser) -> User | Rejected:
    """Decide a ChangeUser."""
    user = _user(stock, command.user_id)
    if isinstance(user, Rejected):
        return user
    fields = with_stores(stock, given(command, "user_id"))
    if isinstance(fields, Rejected):
        return fields
    refused = None if "email" not in fields else name_refusal(stock, "app_user", fields["email"], user.id)
    if "pin" in fields:
        pin = fields.pop("pin")
        fields |= (
            {"pin_hash": None, "pin_index": None} if pin is None else {"pin_hash": pin.hash, "pin_index": pin.index}
        )
        if refused is None and pin is not None:
            refused = pin_refusal(stock, pin, user.id)
    if "password_hash" in fields:
        fields["sessions_from"] = stock.now
    changed = replace(user, **fields, updated_at=stock.now)
    refused = _grant_refusal(stock, changed) or refused or owner_refusal(stock, user, changed)
    if refused is not None:
        return refused
    put(stock, "app_user", changed)
    if changed.role != user.role:
        stock.tell("UserRoleChanged", None, {"user_id": user.id, "role": changed.role, "before": user.role})
    return changed


def remove_user(stock: Stock, command: RemoveUser) -> User | Rejected:
    """Decide a RemoveUser: the last owner stays."""
    user = _user(stock, command.user_id)
    if isinstance(user, Rejected):
        return user
    removed = replace(user, active=False, updated_at=stock.now)
    refused = owner_refusal(stock, user, removed)
    if refused is not None:
        return refused
    put(stock, "app_user", removed)
    return removed


def _user(stock: Stock, user_id: str) -> User | Rejected:
    """The user, locked; refused when there is none, or when they may do more than the caller."""
    user: User | Rejected = existing(stock, "app_user", user_id)
    return user if isinstance(user, Rejected) else _grant_refusal(stock, user) or user


def grant_refusal(stock: Stock, rights: Rights) -> Rejected | None:
    """Refuse to touch somebody whose rights the caller's do not cover: their secret would be a way to those rights."""
    return None if stock.caller.rights.covers(rights) else Rejected(Code.FORBIDDEN, GRANT_WORDS)


def _grant_refusal(stock: Stock, user: User) -> Rejected | None:
    return grant_refusal(stock, Rights(Role(user.role), frozenset(user.stores)))


def stores_of(stock: Stock, references: tuple[str, ...]) -> tuple[str, ...] | Rejected:
    """The ids of stores given by id or code, each once."""
    ids: dict[str, None] = {}
    for reference in references:
        store_id = store_id_of(stock, reference)
        if isinstance(store_id, Rejected):
            return store_id
        ids[store_id] = None
    return tuple(ids)


def with_stores(stock: Stock, fields: dict[str, Any]) -> dict[str, Any] | Rejected:
    """The fields with the ids of the stores."""
    if "stores" not in fields:
        return fields
    stores = stores_of(stock, fields["stores"])
    return stores if isinstance(stores, Rejected) else {**fields, "stores": stores}


def owner_refusal(stock: Stock, user: User | ApiKey, changed: User | ApiKey) -> Rejected | None:
    """Refuse to take away the last owner of the whole organisation: nobody could give the role again."""
    if not _owns_all(user) or _owns_all(changed):
        return None
    lock_organisation(stock)
    others = stock.unread(stock.require(Owners()), "app_user", "api_key")
    others.update(one.id for table in ("app_user", "api_key") for one in written(stock, table) if _owns_all(one))
    if others - {user.id}:
        return None
    return invalid_state("The organisation would be left without an owner: make another user or key an owner first.")


def _owns_all(one: User | ApiKey) -> bool:
    """Is it an owner of everything, for good? A key that is narrowed or ends may leave nobody behind."""
    if isinstance(one, ApiKey) and any(bound is not None for bound in (one.permissions, one.addresses, one.expires_at)):
        return False
    return one.active and one.role == "owner" and not one.stores


# Tax rates -----------------------------------------------------------------------------------------------------------


# Registers -----------------------------------------------------------------------------------------------------------


DECISIONS = (
    Decision(AddUser, add_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(ChangeUser, change_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(RemoveUser, remove_user, Permission.CONFIGURE, changes_catalog=True),
)
