"""Organisations and those who act in them, made outside HTTP: founding, users, keys.

    made = establish(database, "Arco Iris", "ana@arcoiris.example", currency="EUR")
    made.api_key                                     -> "hf_..." (told once; only its hash is kept)
    shop.do(made.actor, new_user("bo@arcoiris.example", Role.CASHIER, ("<store id>",), password="...").command)
    shop.do(made.actor, new_key(made.org_id, Role.STAFF, permissions=["stock:read"]).command)

A new organisation has one store MAIN with a location MAIN, its quarantine and the organisation's TRANSIT, an owner who
can sign in, and a key. Whatever comes later is a command of `core.organisation.products`, so that it is audited and
seen by every process; the functions here only build it. Refused (`NotPossible`): an unknown currency or time zone, what
is no email address, a name that is no text of 1 to 200 characters, a password that is too short.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec
import uuid_utils

from holdfast.access import Actor, Role
from holdfast.core.organisation.changes import ApiKey, User
from holdfast.core.organisation.keys import OVERLAP_HOURS, AddKey, RollKey
from holdfast.core.organisation.places import QUARANTINE_SUFFIX
from holdfast.core.organisation.users import AddUser
from holdfast.core.records import currency as currencies
from holdfast.core.records.field import Malformed, code_of, email_address_of
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.permission import Permission
from holdfast.core.records.product import folded
from holdfast.core.records.text import TEXT_MAX, composed, text_fault
from holdfast.core.records.time import is_timezone
from holdfast.db.engine import Database
from holdfast.db.organisations import Founding, OrganisationRow, StoreRow, clock, found, organisations, stores
from holdfast.passwords import WeakPassword, hashed, refuse_weak
from holdfast.tokens import KEY, new_token

FIRST_CODE = "MAIN"
TRANSIT_CODE = "TRANSIT"
COMMAND_LINE = "cli"
"""The actor that the ledger and the audit log name for what is done on the command line."""


class NotPossible(ValueError):
    """The organisation, user or key cannot be made or found; the message says why."""


class Established(NamedTuple):
    """A new organisation; `api_key` and `password` are told here and never again."""

    org_id: str
    store_id: str
    store_code: str
    location: str
    user_id: str
    email: str
    password: str
    key_id: str
    api_key: str

    @property
    def actor(self) -> Actor:
        """The owner."""
        return Actor(self.org_id, self.email, Role.OWNER)


class NewKey(NamedTuple):
    """The command that adds a key, and the key itself, which is never stored."""

    command: AddKey
    api_key: str


class RolledKey(NamedTuple):
    """The command that gives a key a new secret, and the whole new key, which is never stored."""

    command: RollKey
    api_key: str


class NewUser(NamedTuple):
    """The command that adds a user, and the password, which is never stored."""

    command: AddUser
    password: str


def establish(
    database: Database,
    name: str,
    owner_email: str,
    *,
    currency: str = "USD",
    password: str | None = None,
    timezone: str = "UTC",
    store_code: str = FIRST_CODE,
    store_name: str | None = None,
    first_password: bool = False,
) -> Established:
    """Make an organisation that can start to work; without a password one is made up.

    A `first_password` must be changed at the first sign-in.
    `timezone` (IANA) is that of the organisation and of its first store. NotPossible when one of them cannot be.
    """
    timezone = timezone_of(timezone)
    now = clock(database)
    settings = Settings(
        id=_new_id(),
        name=text_of(name, "name"),
        currency=currency_of(currency),
        minor_digits=minor_digits_of(currency),
        timezone=timezone,
        created_at=now,
        updated_at=now,
    )
    store_code = _checked(code_of, store_code)
    store = Store(
        id=_new_id(),
        code=store_code,
        name=text_of(store_name or settings.name, "name"),
        timezone=timezone,
        created_at=now,
        updated_at=now,
    )
    places = (
        _place(store, store_code, "store", now),
        _place(store, store_code + QUARANTINE_SUFFIX, "quarantine", now),
        _place(store, TRANSIT_CODE, "transit", now),
    )
    user = new_user(
        owner_email, Role.OWNER, password=password, first_password=first_password, organisation=settings.name
    )
    owner = User(
        id=_new_id(),
        email=user.command.email,
        password_hash=user.command.password_hash,
        role=user.command.role,
        first_password=first_password,
        created_at=now,
        updated_at=now,
    )
    new = new_key(settings.id, Role.OWNER, name="owner")
    key = ApiKey(id=_new_id(), **msgspec.structs.asdict(new.command), created_at=now, updated_at=now)
    found(database, Founding(settings, store, places, owner, key))
    return Established(
        settings.id,
        store.id,
        store.code,
        places[0].code,
        owner.id,
        owner.email,
        user.password,
        key.id,
        new.api_key,
    )


def new_key(
    org_id: str,
    role: Role,
    stores: tuple[str, ...] = (),
    *,
    name: str = "",
    permissions: Iterable[Permission] | None = None,
    addresses: Iterable[str] | None = None,
    expires_at: int | None = None,
) -> NewKey:
    """A new API key with the role, for those stores (ids; none: all).

    `permissions` are those of the role that it has (None: all), `addresses` the ranges (CIDR) that it may be used from
    (None: any); from `expires_at` on (microseconds since 1970) it is dead.
    """
    token = new_token(KEY, org_id)
    command = AddKey(
        name=text_of(name or str(role), "name"),
        key_hash=token.digest,
        role=role.value,
        stores=stores,
        hint=token.hint,
        permissions=None if permissions is None else tuple(permissions),
        addresses=None if addresses is None else tuple(addresses),
        expires_at=expires_at,
    )
    return NewKey(command, token.text)


def rolled_key(org_id: str, key_id: str, *, overlap_hours: int = OVERLAP_HOURS) -> RolledKey:
    """A new secret for a key; the old one works for so many hours more."""
    token = new_token(KEY, org_id)
    command = RollKey(key_id=key_id, key_hash=token.digest, hint=token.hint, overlap_hours=overlap_hours)
    return RolledKey(command, token.text)


def new_user(
    email: str,
    role: Role,
    stores: tuple[str, ...] = (),
    *,
    password: str | None = None,
    first_password: bool = False,
    organisation: str = "",
) -> NewUser:
    """A new user with the role, for those stores (ids; none: all); without a password one is made up.

    A `first_password` must be changed at the first sign-in. The password may not be the name of the `organisation`.
    """
    chosen = password if password is not None else secrets.token_urlsafe(16)
    command = AddUser(
        email=email_of(email),
        password_hash=password_hash(chosen, email=email, organisation=organisation),
        role=role.value,
        stores=stores,
        first_password=first_password,
    )
    return NewUser(command, chosen)


def password_hash(password: str, *, email: str = "", organisation: str = "") -> str:
    """What is kept of a password (Argon2), if it may be one."""
    try:
        refuse_weak(password, email=email, organisation=organisation)
    except WeakPassword as error:
        raise NotPossible(str(error)) from None
    return hashed(password)


def organisation_of(database: Database, reference: str) -> OrganisationRow:
    """The organisation with that id or name."""
    known = organisations(database, reference)
    if len(known) == 1:
        return known[0]
    if known:
        ids = ", ".join(sorted(row.id for row in known))
        raise NotPossible(f"{len(known)} organisations are called {reference!r}: name one by its id ({ids}).")
    raise NotPossible(f"There is no organisation {reference!r}.")


def store_of(database: Database, org_id: str, reference: str) -> StoreRow:
    """The organisation's store with that code (in any case) or id."""
    known = stores(database, org_id)
    for row in known:
        if folded(reference) == row.code or reference.lower() == row.id:
            return row
    raise NotPossible(f"There is no store {reference!r}; there is {', '.join(row.code for row in known)}.")


def command_line(org_id: str) -> Actor:
    """Who acts when somebody at the machine gives a command: an owner, named `cli` in ledger and audit log."""
    return Actor(org_id, COMMAND_LINE, Role.OWNER)


def currency_of(code: str) -> str:
    """The ISO 4217 code in capitals."""
    known = currencies.currency_of(code)
    if known is None:
        raise NotPossible(f"{code[:10]!r} is no ISO 4217 currency code such as USD, EUR or JPY.")
    return known


def minor_digits_of(currency: str) -> int:
    """Decimal places of an amount in the currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return currencies.minor_digits_of(currency_of(currency))


def timezone_of(name: str) -> str:
    """The name of an IANA time zone as it is written there; NotPossible when there is none of that name."""
    if not is_timezone(name):
        raise NotPossible(f"{name[:80]!r} is no IANA time zone such as Europe/Lisbon, America/New_York or UTC.")
    return name


def email_of(text: str) -> str:
    """An email address, trimmed and in lower case: nobody signs in by the case of a letter."""
    return _checked(email_address_of, text_of(text, "email"))


def text_of(text: str, what: str) -> str:
    """A text of 1 to 200 characters, as it is kept, without control characters and what nobody sees."""
    trimmed = composed(text).strip()
    if not 1 <= len(trimmed) <= TEXT_MAX or text_fault(what, trimmed) is not None:
        raise NotPossible(f"The {what} must be a text of 1 to 200 characters without control or format characters.")
    return trimmed


def _checked(check: Callable[[str], str], text: str) -> str:
    """What a check of `core.records.field` answers, or NotPossible."""
    try:
        return check(text)
    except Malformed as error:
        raise NotPossible(str(error)) from None


def _place(store: Store, code: str, kind: str, now: int) -> Location:
    sellable = kind == "store"
    return Location(
        id=_new_id(),
        store_id=store.id,
        code=code,
        kind=kind,  # type: ignore[arg-type] # one of LocationKind
        ships_online=sellable,
        created_at=now,
        updated_at=now,
    )


def _new_id() -> str:
    return str(uuid_utils.uuid7())
