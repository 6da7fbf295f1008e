"""Organisations and those who act in them, made outside HTTP: founding, users, keys.

    made = establish(database, "Arco Iris", "ana@arcoiris.example", currency="EUR")
    made.api_key                                     -> "hf_..." (told once; only its hash is kept)
    shop.do(made.actor, new_user("bo@arcoiris.example", Role.CASHIER, ("<store id>",), password="..."))

A new organisation has one store MAIN with a location MAIN, its quarantine and the organisation's TRANSIT, an owner who
can sign in, and a key. Whatever comes later is a command of `core.catalog`, so that it is audited and seen by every
process; the functions here only build it. Refused (`NotPossible`): an unknown currency or time zone, what is no email
address, a name that is no text of 1 to 200 characters, a password that is too short.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import available_timezones

import uuid_utils
from babel.numbers import list_currencies
from pwdlib import PasswordHash

from holdfast.access import Actor, Role
from holdfast.core.catalog import QUARANTINE_SUFFIX, Add, ApiKey, User
from holdfast.core.product import Location, Settings, Store, folded
from holdfast.db.engine import Database
from holdfast.db.found import Founding, OrganisationRow, StoreRow, clock, found, organisations, stores

KEY_PREFIX = "hf_"
KEY_BYTES = 32
"""Random bytes of an API key: 43 characters of URL-safe base64."""

PASSWORD_CHARACTERS_MIN = 8
PASSWORD_CHARACTERS_MAX = 200
FIRST_CODE = "MAIN"
TRANSIT_CODE = "TRANSIT"
COMMAND_LINE = "cli"
"""The actor that the ledger and the audit log name for what is done on the command line."""

_EMAIL = re.compile(r'[^@\s,;<>()"]+@[^@\s,;<>()"]+')

_DIGITS_OF = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Minor digits by ISO 4217, where they are not 2. (Babel's are those of everyday use: it gives the lek none.)"""


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

    command: Add
    api_key: str


class NewUser(NamedTuple):
    """The command that adds a user, and the password, which is never stored."""

    command: Add
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
) -> Established:
    """Make an organisation that can start to work; without a password one is made up.

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
    store = Store(
        id=_new_id(),
        code=store_code,
        name=store_name or settings.name,
        timezone=timezone,
        created_at=now,
        updated_at=now,
    )
    places = (
        _place(store, store_code, "store", now),
        _place(store, store_code + QUARANTINE_SUFFIX, "quarantine", now),
        _place(store, TRANSIT_CODE, "transit", now),
    )
    user = new_user(owner_email, Role.OWNER, password=password)
    owner = User(id=_new_id(), **user.command.fields, created_at=now, updated_at=now)
    new = new_key(Role.OWNER, name="owner")
    key = ApiKey(id=_new_id(), **new.command.fields, created_at=now, updated_at=now)
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


def new_key(role: Role, stores: tuple[str, ...] = (), *, name: str = "") -> NewKey:
    """A new API key with the role, for those stores (ids; none: all)."""
    api_key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    fields = {
        "name": text_of(name or str(role), "name"),
        "key_hash": key_hash(api_key),
        "role": str(role),
        "stores": stores,
    }
    return NewKey(Add("api_key", fields), api_key)


def new_user(
    email: str, role: Role, stores: tuple[str, ...] = (), *, password: str | None = None, pin_hash: str | None = None
) -> NewUser:
    """A new user with the role, for those stores (ids; none: all); without a password one is made up."""
    chosen = password if password is not None else secrets.token_urlsafe(12)
    fields = {
        "email": email_of(email),
        "password_hash": password_hash(chosen),
        "role": str(role),
        "stores": stores,
        "pin_hash": pin_hash,
    }
    return NewUser(Add("app_user", fields), chosen)


def key_hash(api_key: str) -> str:
    """What is kept of an API key: SHA-256 is enough for 32 random bytes."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def password_hash(password: str) -> str:
    """What is kept of a password (Argon2)."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        bounds = f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX}"
        raise NotPossible(f"A password has {bounds} characters; this one has {len(password)}.")
    return PasswordHash.recommended().hash(password)


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
    folded = code.upper()
    if len(folded) != 3 or folded not in list_currencies():
        raise NotPossible(f"{code[:10]!r} is no ISO 4217 currency code such as USD, EUR or JPY.")
    return folded


def minor_digits_of(currency: str) -> int:
    """Decimal places of an amount in the currency (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    code = currency_of(currency)
    return next((digits for digits, codes in _DIGITS_OF.items() if code in codes.split()), 2)


def timezone_of(name: str) -> str:
    """The name of an IANA time zone as it is written there; NotPossible when there is none of that name."""
    if name not in _timezones():
        raise NotPossible(f"{name[:80]!r} is no IANA time zone such as Europe/Lisbon, America/New_York or UTC.")
    return name


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def email_of(text: str) -> str:
    """An email address, trimmed and in lower case: nobody signs in by the case of a letter."""
    folded = text_of(text.strip(), "email").lower()
    if not _EMAIL.fullmatch(folded):
        raise NotPossible(f"{text[:80]!r} is no email address.")
    return folded


def text_of(text: str, what: str) -> str:
    """A text of 1 to 200 characters without control characters and lone surrogates (SPEC section 2)."""
    trimmed = text.strip()
    if not 1 <= len(trimmed) <= 200 or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in trimmed):
        raise NotPossible(f"The {what} must be a text of 1 to 200 characters without control characters.")
    return trimmed


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
