"""The organisation: its settings, who works in it, tax rates and registers. Its keys are in `keys`.

    ChangeSettings(cash_rounding="0.05")                              -> the settings as they stand
    AddUser(email="bo@shop.example", role="cashier", password_hash=...) -> a user; a password is hashed at the door
    AddTaxRate(tax_class="food", rate="0.15")                         -> 15 percent, in every store without its own

In a change `UNSET` leaves a field as it is, None takes it away. Refused is what would leave the organisation without an
owner, keep its money in places that another currency does not have, or give two things one name. Nobody makes, changes
or removes a user who may do more than they may, before the change or after it; the lock of the user's row is held while
this is tested, so a user cannot become more in between.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import ApiKey, User, existing, lock_organisation, name_refusal, put, written
from holdfast.core.organisation.pin import NewPin, pin_refusal
from holdfast.core.organisation.places import store_id_of, till_refusal
from holdfast.core.organisation.products import amount_of
from holdfast.core.records.command import SHARED, Command, Decision, given
from holdfast.core.records.currency import minor_digits_of
from holdfast.core.records.field import Currency, Email, Rate, StoreCode, Text, Timezone
from holdfast.core.records.number import from_minor, to_unit_cost
from holdfast.core.records.organisation import Register, Settings, TaxRate
from holdfast.core.records.permission import GRANT_WORDS, RANK, Permission, Rights, Role
from holdfast.core.records.rejection import Code, Rejected, invalid_state
from holdfast.core.records.wants import AnyJournalEntry, AnyProduct, Owners
from holdfast.core.stock.journal import Posting
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

MINUTES_MAX = 366 * 24 * 60
STORES_MAX = 1000

RoleName = Literal["cashier", "staff", "manager", "admin", "owner"]
PasswordHash = Annotated[str, Meta(pattern=r"^\$argon2[a-z]*\$", max_length=500)]
"""What `holdfast.organisation.password_hash` made: it takes too long to be made under a lock."""

Stores = Annotated[tuple[Text, ...], Meta(max_length=STORES_MAX)]
"""Stores by id or code; none: all of them."""


class ChangeSettings(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Change the organisation's rules."""

    name: Text | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    mode: Literal["advanced", "simple"] | UnsetType = UNSET
    allow_override: bool | UnsetType = UNSET
    cart_hold_minutes: Annotated[int, Meta(ge=1, le=MINUTES_MAX)] | UnsetType = UNSET
    default_reorder_point: Annotated[int, Meta(ge=0, le=10**8)] | UnsetType | None = UNSET
    tax_mode: Literal["exclusive", "inclusive"] | UnsetType = UNSET
    cash_rounding: Text | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    api_rate_limit: Annotated[int, Meta(ge=1, le=10_000_000)] | UnsetType | None = UNSET
    totp_roles: Annotated[tuple[RoleName, ...], Meta(max_length=5)] | UnsetType = UNSET


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


class AddTaxRate(Command, frozen=True, gc=False, forbid_unknown_fields=True):
    """The rate of a class, as a decimal string: "0.15" is 15 percent, "1" the most; of one store, or of all."""

    tax_class: Text
    rate: Rate
    store_id: Text | None = None
    name: Text | None = None


class TaxRateChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a tax rate."""

    tax_class: Text | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET
    store_id: Text | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET


class ChangeTaxRate(TaxRateChanges, frozen=True, gc=False):
    """Change a tax rate."""

    rate_id: str


class RemoveTaxRate(Command, frozen=True, gc=False):
    """Take away a tax rate."""

    rate_id: str


class AddRegister(Command, frozen=True, gc=False, forbid_unknown_fields=True):
    """A till of a store (id or code)."""

    store_id: Text
    code: StoreCode
    name: Text | None = None


class RegisterChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a register; it stays in its store."""

    code: StoreCode | UnsetType = UNSET
    name: Text | UnsetType | None = UNSET


class ChangeRegister(RegisterChanges, frozen=True, gc=False):
    """Change a register."""

    register_id: str


class RemoveRegister(Command, frozen=True, gc=False):
    """Take away a register."""

    register_id: str


# Settings ------------------------------------------------------------------------------------------------------------


def change_settings(stock: Stock, command: ChangeSettings) -> Settings | Rejected:
    """Decide a ChangeSettings."""
    settings: Settings = existing(stock, "organisation", stock.org_id)
    fields = given(command)
    if "currency" in fields:
        fields["minor_digits"] = minor_digits_of(fields["currency"])
    if "totp_roles" in fields:
        freed = set((settings.totp_roles or "").split()) - set(fields["totp_roles"])
        if any(RANK[Role(role)] > RANK[stock.caller.rights.role] for role in freed):
            return Rejected(Code.FORBIDDEN, "You may not free a higher role than your own of its second factor.")
        fields["totp_roles"] = " ".join(dict.fromkeys(fields["totp_roles"])) or None
    changed = replace(settings, **fields, updated_at=stock.now)
    if "cash_rounding" in fields:
        step = amount_of(changed, "cash_rounding", fields["cash_rounding"])
        if isinstance(step, Rejected):
            return step
        changed = replace(changed, cash_rounding=from_minor(step, changed.minor_digits))
    kept = _currency_refusal(stock, settings, changed)
    if kept is not None:
        return kept
    put(stock, "organisation", changed)
    return changed


def _currency_refusal(stock: Stock, settings: Settings, changed: Settings) -> Rejected | None:
    """Refuse another currency once books are kept in this one, and other places of money once there are products."""
    if changed.currency == settings.currency:
        return None
    booked = bool(stock.rows_of(Posting)) or bool(stock.require(AnyJournalEntry()))
    if booked:
        return invalid_state(f"The books are kept in {settings.currency} already.", field="currency")
    if changed.minor_digits != settings.minor_digits and (stock.require(AnyProduct()) or written(stock, "product")):
        places = f"prices and costs are kept with the places of {settings.currency}."
        return invalid_state(f"There are products already: {places}", field="currency")
    return None


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
    """The user, locked; refused when there is none, or when they may do more than who asks."""
    user: User | Rejected = existing(stock, "app_user", user_id)
    return user if isinstance(user, Rejected) else _grant_refusal(stock, user) or user


def _grant_refusal(stock: Stock, user: User) -> Rejected | None:
    """Refuse to touch a user whose rights the caller's do not cover: their password would be a way to those rights."""
    if stock.caller.rights.covers(Rights(Role(user.role), frozenset(user.stores))):
        return None
    return Rejected(Code.FORBIDDEN, GRANT_WORDS)


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


def add_tax_rate(stock: Stock, command: AddTaxRate) -> TaxRate | Rejected:
    """Decide an AddTaxRate."""
    store_id = None if command.store_id is None else store_id_of(stock, command.store_id)
    if isinstance(store_id, Rejected):
        return store_id
    rate = TaxRate(
        id=stock.new_id(),
        tax_class=command.tax_class,
        rate=_millionths(command.rate),
        store_id=store_id,
        name=command.name,
        created_at=stock.now,
        updated_at=stock.now,
    )
    refused = _rate_refusal(stock, rate)
    if refused is not None:
        return refused
    put(stock, "tax_rate", rate)
    return rate


def change_tax_rate(stock: Stock, command: ChangeTaxRate) -> TaxRate | Rejected:
    """Decide a ChangeTaxRate."""
    rate = _rate(stock, command.rate_id)
    if isinstance(rate, Rejected):
        return rate
    fields = given(command, "rate_id")
    if "rate" in fields:
        fields["rate"] = _millionths(fields["rate"])
    if fields.get("store_id") is not None:
        store_id = store_id_of(stock, fields["store_id"])
        if isinstance(store_id, Rejected):
            return store_id
        fields["store_id"] = store_id
    changed = replace(rate, **fields, updated_at=stock.now)
    refused = _rate_refusal(stock, changed)
    if refused is not None:
        return refused
    put(stock, "tax_rate", changed)
    return changed


def remove_tax_rate(stock: Stock, command: RemoveTaxRate) -> TaxRate | Rejected:
    """Decide a RemoveTaxRate."""
    rate = _rate(stock, command.rate_id)
    if isinstance(rate, Rejected):
        return rate
    removed = replace(rate, active=False, updated_at=stock.now)
    put(stock, "tax_rate", removed)
    return removed


def _rate(stock: Stock, rate_id: str) -> TaxRate | Rejected:
    """The tax rate, locked; refused when there is none, or when it is one of all stores and the caller is of some."""
    rate: TaxRate | Rejected = existing(stock, "tax_rate", rate_id)
    return rate if isinstance(rate, Rejected) else _shared_refusal(stock, rate) or rate


def _shared_refusal(stock: Stock, rate: TaxRate) -> Rejected | None:
    """Refuse a rate that all stores share to a caller of some; one of another store does not pass the gate."""
    return Rejected(Code.FORBIDDEN, SHARED) if rate.store_id is None and stock.caller.stores is not None else None


def _millionths(rate: str) -> int:
    """A rate in millionths; its type has tested that it is one."""
    millionths = to_unit_cost(rate)
    assert millionths is not None, rate
    return millionths


def _rate_refusal(stock: Stock, rate: TaxRate) -> Rejected | None:
    """A class has one rate in a store, and one in the organisation; that one is for who acts in all stores."""
    refused = _shared_refusal(stock, rate)
    if refused is not None:
        return refused
    lock_organisation(stock)
    for other in stock.catalog.tax_rates.values():
        same = (other.tax_class, other.store_id) == (rate.tax_class, rate.store_id)
        if same and other.active and other.id != rate.id:
            words = f"There is a rate of the class {rate.tax_class!r} already."
            return Rejected(Code.ALREADY_EXISTS, words, {"field": "tax_class"})
    return None


# Registers -----------------------------------------------------------------------------------------------------------


def add_register(stock: Stock, command: AddRegister) -> Register | Rejected:
    """Decide an AddRegister."""
    store_id = store_id_of(stock, command.store_id)
    if isinstance(store_id, Rejected):
        return store_id
    refused = name_refusal(stock, "register", command.code, None)
    if refused is not None:
        return refused
    register = Register(
        id=stock.new_id(),
        store_id=store_id,
        code=command.code,
        name=command.name,
        created_at=stock.now,
        updated_at=stock.now,
    )
    put(stock, "register", register)
    return register


def change_register(stock: Stock, command: ChangeRegister) -> Register | Rejected:
    """Decide a ChangeRegister."""
    register: Register | Rejected = existing(stock, "register", command.register_id)
    if isinstance(register, Rejected):
        return register
    fields = given(command, "register_id")
    refused = None if "code" not in fields else name_refusal(stock, "register", fields["code"], register.id)
    if refused is not None:
        return refused
    changed = replace(register, **fields, updated_at=stock.now)
    put(stock, "register", changed)
    return changed


def remove_register(stock: Stock, command: RemoveRegister) -> Register | Rejected:
    """Decide a RemoveRegister: one with an open session stays."""
    register: Register | Rejected = existing(stock, "register", command.register_id)
    if isinstance(register, Rejected):
        return register
    refused = till_refusal(stock, register)
    if refused is not None:
        return refused
    removed = replace(register, active=False, updated_at=stock.now)
    put(stock, "register", removed)
    return removed


DECISIONS = (
    Decision(ChangeSettings, change_settings, Permission.CONFIGURE, changes_catalog=True, of_all_stores=True),
    Decision(AddUser, add_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(ChangeUser, change_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(RemoveUser, remove_user, Permission.CONFIGURE, changes_catalog=True),
    Decision(AddTaxRate, add_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeTaxRate, change_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(RemoveTaxRate, remove_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(AddRegister, add_register, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeRegister, change_register, Permission.MANAGE, changes_catalog=True),
    Decision(RemoveRegister, remove_register, Permission.MANAGE, changes_catalog=True),
)
