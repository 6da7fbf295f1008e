"""Settings: what holds for all who sell, the rules of the organisation, its tax rates, its registers.

    ChangeSettings(cash_rounding="0.05")               -> the settings as they stand
    AddTaxRate(tax_class="food", rate="0.15")          -> 15 percent, in every store without a rate of its own
    AddRegister(store_id, "TILL-1")                    -> a drawer; sessions are opened at it

In a change `UNSET` leaves a field as it is, None takes it away. Refused is what would keep money in places that another
currency does not have, or give two things one name. What all stores share is changed by those alone who act in all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from holdfast.core.organisation.changes import existing, lock_organisation, put, refuse_taken_name, written
from holdfast.core.organisation.periods import account_name
from holdfast.core.organisation.places import refuse_open_till, store_id_of
from holdfast.core.organisation.products import amount_of
from holdfast.core.records.command import ALL_STORES, Command, Decision, given
from holdfast.core.records.currency import minor_digits_of
from holdfast.core.records.field import PRINTABLE, Currency, Rate, StoreCode, Text, Timezone
from holdfast.core.records.number import from_minor, to_unit_cost
from holdfast.core.records.organisation import BarcodePrefix, QuickKey, Register, Settings, TaxRate
from holdfast.core.records.permission import RANK, Permission, Role, RoleName
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.wants import AnyJournalEntry, AnyProduct
from holdfast.core.stock.journal import CASH, INVENTORY, Posting, account_kind
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace


MINUTES_MAX = 366 * 24 * 60

SettledMethod = Literal["card", "other"]
"""The methods of payment that may have an account of their own. Cash lies in the drawers, gift cards are owed."""

PREFIXES_MAX = 20
"""Most prefixes of codes that the shop's own scales print."""

VALUE_DIGITS_MIN = 3
"""Fewest digits that such a code leaves for the weight or the price."""

QUICK_KEYS_MAX = 24
"""Most quick keys of a register."""


class ChangeSettings(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """Change the organisation's rules; `payment_accounts` are merged, null gives a method the usual account again."""

    name: Text | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    mode: Literal["advanced", "simple"] | UnsetType = UNSET
    allow_override: bool | UnsetType = UNSET
    cart_hold_minutes: Annotated[int, Meta(ge=1, le=MINUTES_MAX)] | UnsetType = UNSET
    default_reorder_point: Annotated[int, Meta(ge=0, le=10**8)] | UnsetType | None = UNSET
    tax_mode: Literal["exclusive", "inclusive"] | UnsetType = UNSET
    tax_rounding: Literal["line", "total"] | UnsetType = UNSET
    cash_rounding: Text | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    api_rate_limit: Annotated[int, Meta(ge=1, le=10_000_000)] | UnsetType | None = UNSET
    totp_roles: Annotated[tuple[RoleName, ...], Meta(max_length=5)] | UnsetType = UNSET
    barcode_prefixes: Annotated[tuple[BarcodePrefix, ...], Meta(max_length=PREFIXES_MAX)] | UnsetType = UNSET
    payment_accounts: dict[SettledMethod, str | None] | UnsetType = UNSET


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


class QuickKeyRequest(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A button that sells a product (id or SKU)."""

    label: Annotated[str, Meta(min_length=1, max_length=40, extra_json_schema={"pattern": PRINTABLE})]
    product_id: Text
    colour: Annotated[str, Meta(pattern="^#[0-9a-f]{6}$")] | None = None


class RegisterChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a register; it stays in its store."""

    code: StoreCode | UnsetType = UNSET
    name: Text | UnsetType | None = UNSET
    quick_keys: Annotated[tuple[QuickKeyRequest, ...], Meta(max_length=QUICK_KEYS_MAX)] | UnsetType = UNSET


class ChangeRegister(RegisterChanges, frozen=True, gc=False):
    """Change a register."""

    register_id: str


class RemoveRegister(Command, frozen=True, gc=False):
    """Take away a register."""

    register_id: str


def change_settings(stock: Stock, command: ChangeSettings) -> Settings:
    """Decide a ChangeSettings."""
    settings: Settings = existing(stock, "organisation", stock.org_id)
    fields = given(command)
    if "currency" in fields:
        fields["minor_digits"] = minor_digits_of(fields["currency"])
    if "totp_roles" in fields:
        freed = set((settings.totp_roles or "").split()) - set(fields["totp_roles"])
        if any(RANK[Role(role)] > RANK[stock.caller.rights.role] for role in freed):
            raise Refused(Code.FORBIDDEN, "You may not free a higher role than your own of its second factor.")
        fields["totp_roles"] = " ".join(dict.fromkeys(fields["totp_roles"])) or None
    if "barcode_prefixes" in fields:
        _refuse_prefixes(fields["barcode_prefixes"])
        fields["barcode_prefixes"] = fields["barcode_prefixes"] or None
    if "payment_accounts" in fields:
        fields["payment_accounts"] = _payment_accounts(stock, settings, fields["payment_accounts"])
    changed = replace(settings, **fields, updated_at=stock.now)
    if "cash_rounding" in fields:
        step = amount_of(changed, "cash_rounding", fields["cash_rounding"])
        changed = replace(changed, cash_rounding=from_minor(step, changed.minor_digits))
    _refuse_currency(stock, settings, changed)
    put(stock, "organisation", changed)
    return changed


def _payment_accounts(stock: Stock, settings: Settings, asked: dict[str, str | None]) -> dict[str, str] | None:
    """The accounts of methods of payment with what was asked: assets of the chart, beside cash and inventory."""
    accounts = dict(settings.payment_accounts or {})

    def put_account(_: int, item: tuple[str, str | None]) -> None:
        method, code = item
        field = f"payment_accounts.{method}"
        if code is None:
            accounts.pop(method, None)
            return
        if account_name(stock, code) is None:
            raise malformed(field, f"there is no account {code!r}: add it to the chart first.")
        if code in (CASH, INVENTORY) or account_kind(code) != "asset":
            raise malformed(field, "must be an asset (1...), and neither cash nor inventory.")
        accounts[method] = code

    stock.each(sorted(asked.items()), put_account)
    return accounts or None


def _refuse_prefixes(prefixes: tuple[BarcodePrefix, ...]) -> None:
    """Refuse a prefix that leaves no room for a value, and two of which one begins with the other."""
    for index, one in enumerate(prefixes):
        if one.value_digits < VALUE_DIGITS_MIN:
            words = f"{one.item_digits} digits of the item leave {max(0, one.value_digits)} for the value."
            raise malformed(f"barcode_prefixes.{index}.item_digits", words)
        for other in prefixes[:index]:
            if one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix):
                raise malformed(f"barcode_prefixes.{index}.prefix", f"cannot stand beside {other.prefix}.")


def _refuse_currency(stock: Stock, settings: Settings, changed: Settings) -> None:
    """Refuse another currency once books are kept in this one, and other places of money once there are products."""
    if changed.currency == settings.currency:
        return
    booked = bool(stock.rows_of(Posting)) or bool(stock.require(AnyJournalEntry()))
    if booked:
        raise invalid_state(f"The books are kept in {settings.currency} already.", field="currency")
    if changed.minor_digits != settings.minor_digits and (stock.require(AnyProduct()) or written(stock, "product")):
        places = f"prices and costs are kept with the places of {settings.currency}."
        raise invalid_state(f"There are products already: {places}", field="currency")


def add_tax_rate(stock: Stock, command: AddTaxRate) -> TaxRate:
    """Decide an AddTaxRate."""
    store_id = None if command.store_id is None else store_id_of(stock, command.store_id)
    rate = TaxRate(
        id=stock.new_id(),
        tax_class=command.tax_class,
        rate=_millionths(command.rate),
        store_id=store_id,
        name=command.name,
        created_at=stock.now,
        updated_at=stock.now,
    )
    _refuse_rate(stock, rate)
    put(stock, "tax_rate", rate)
    return rate


def change_tax_rate(stock: Stock, command: ChangeTaxRate) -> TaxRate:
    """Decide a ChangeTaxRate."""
    rate = _rate(stock, command.rate_id)
    fields = given(command, "rate_id")
    if "rate" in fields:
        fields["rate"] = _millionths(fields["rate"])
    if fields.get("store_id") is not None:
        fields["store_id"] = store_id_of(stock, fields["store_id"])
    changed = replace(rate, **fields, updated_at=stock.now)
    _refuse_rate(stock, changed)
    put(stock, "tax_rate", changed)
    return changed


def remove_tax_rate(stock: Stock, command: RemoveTaxRate) -> TaxRate:
    """Decide a RemoveTaxRate."""
    rate = _rate(stock, command.rate_id)
    removed = replace(rate, active=False, updated_at=stock.now)
    put(stock, "tax_rate", removed)
    return removed


def _rate(stock: Stock, rate_id: str) -> TaxRate:
    """The tax rate, locked; refused when there is none, or when it is one of all stores and the caller is of some."""
    rate: TaxRate = existing(stock, "tax_rate", rate_id)
    _refuse_shared(stock, rate)
    return rate


def _refuse_shared(stock: Stock, rate: TaxRate) -> None:
    """Refuse a rate that all stores share to a caller of some; one of another store does not pass the gate."""
    if rate.store_id is None and stock.caller.stores is not None:
        raise Refused(Code.FORBIDDEN, ALL_STORES)


def _millionths(rate: str) -> int:
    """A rate in millionths; its type has tested that it is one."""
    millionths = to_unit_cost(rate)
    assert millionths is not None, rate
    return millionths


def _refuse_rate(stock: Stock, rate: TaxRate) -> None:
    """Refuse a rate beside another one of its class in a store, or in the organisation (that one is for callers of all
    stores), unless it has a name, and another one. A rate without a name is called like its class."""
    _refuse_shared(stock, rate)
    lock_organisation(stock)
    for other in stock.catalog.tax_rates.values():
        beside = (other.tax_class, other.store_id) == (rate.tax_class, rate.store_id)
        same = rate.name is None or rate.name == (other.name or other.tax_class)
        if beside and same and other.active and other.id != rate.id:
            words = f"There is a rate of the class {rate.tax_class!r} already: another one needs another name."
            raise Refused(Code.ALREADY_EXISTS, words, {"field": "tax_class"})


def add_register(stock: Stock, command: AddRegister) -> Register:
    """Decide an AddRegister."""
    store_id = store_id_of(stock, command.store_id)
    refuse_taken_name(stock, "register", command.code, None)
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


def change_register(stock: Stock, command: ChangeRegister) -> Register:
    """Decide a ChangeRegister."""
    register: Register = existing(stock, "register", command.register_id)
    fields = given(command, "register_id")
    if "code" in fields:
        refuse_taken_name(stock, "register", fields["code"], register.id)
    if "quick_keys" in fields:
        fields["quick_keys"] = _quick_keys(stock, fields["quick_keys"]) or None
    changed = replace(register, **fields, updated_at=stock.now)
    put(stock, "register", changed)
    return changed


def _quick_keys(stock: Stock, asked: tuple[QuickKeyRequest, ...]) -> tuple[QuickKey, ...]:
    """The buttons with the ids of their products; refused when one does not exist."""
    stock.catalog.know_products(one.product_id for one in asked)
    made = []
    for one in asked:
        product = stock.catalog.product(one.product_id)
        if product is None:
            raise not_found(Code.PRODUCT_NOT_FOUND, "Product", one.product_id)
        made.append(QuickKey(label=one.label, product_id=product.id, colour=one.colour))
    return tuple(made)


def remove_register(stock: Stock, command: RemoveRegister) -> Register:
    """Decide a RemoveRegister: one with an open session stays."""
    register: Register = existing(stock, "register", command.register_id)
    refuse_open_till(stock, register)
    removed = replace(register, active=False, updated_at=stock.now)
    put(stock, "register", removed)
    return removed


DECISIONS = (
    Decision(ChangeSettings, change_settings, Permission.CONFIGURE, changes_catalog=True, of_all_stores=True),
    Decision(AddTaxRate, add_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeTaxRate, change_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(RemoveTaxRate, remove_tax_rate, Permission.MANAGE, changes_catalog=True),
    Decision(AddRegister, add_register, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeRegister, change_register, Permission.MANAGE, changes_catalog=True),
    Decision(RemoveRegister, remove_register, Permission.MANAGE, changes_catalog=True),
)
