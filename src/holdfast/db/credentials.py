"""Who is who: API keys by hash, users by email, sessions of browsers and tills.

    key_of(database, hash, org_id)             -> KeyRow(org_id, name, role, stores, rate limit ...), or None
    browser_session_of(database, hash, ...)    -> (UserRow, last used), or None when it ended or its user is gone
    till_of(database, hash, org_id)            -> TillRow, or None when the register session is closed

A token names its organisation (`holdfast.tokens`) and is looked up there alone; one of before (`org_id` None), as an
email address, is looked up in all of them. Nothing secret is stored: keys and tokens as SHA-256, passwords as Argon2.
Times are microseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec
import psycopg
import sqlalchemy as sa

from holdfast.db.engine import Database
from holdfast.db.schema import (
    api_key,
    app_user,
    browser_session,
    location,
    organisation,
    product,
    register_session,
    till_lock,
)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KeyRow(msgspec.Struct, frozen=True, gc=False):
    """An active API key. `rate_limit` is what its organisation allows each key in a minute, None without a limit.

    `permissions` and `addresses` narrow it where they are not None. It is dead from `expires_at` on: that of the key,
    or that of the secret that was shown, when the key has been rolled since. `ends` says that the key itself does.
    """

    org_id: str
    name: str
    role: str
    stores: tuple[str, ...]
    rate_limit: int | None
    id: str
    permissions: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    expires_at: int | None = None
    ends: bool = False


class UserRow(msgspec.Struct, frozen=True, gc=False):
    """An active user of one organisation."""

    org_id: str
    id: str
    email: str
    password_hash: str
    role: str
    stores: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the ledger calls them."""
        return f"user:{self.email}"[:200]


class Opener(msgspec.Struct, frozen=True, gc=False):
    """The active user or key that opened a till; `name` as the ledger has it, the rest as in KeyRow."""

    id: str
    name: str
    role: str
    stores: tuple[str, ...]
    permissions: tuple[str, ...] | None = None
    addresses: tuple[str, ...] | None = None
    expires_at: int | None = None


class TillRow(msgspec.Struct, frozen=True, gc=False):
    """A register session. `opener` is None when they are gone, `locked_until` 0 when the till is not locked.

    Where a key has opened it, `key_id` is the key, and `addresses`, `permissions` and `key_stores` are what it is
    narrowed to, also when the key is gone: whoever acts at the till may do no more. The `opener` acts without a PIN as
    long as the key lives, whoever they are.
    """

    org_id: str
    session_id: str
    register_id: str
    store_id: str
    locked_until: int
    opener: Opener | None
    addresses: tuple[str, ...] | None = None
    key_id: str | None = None
    permissions: tuple[str, ...] | None = None
    key_stores: tuple[str, ...] = ()


PINS_WRONG_MAX = 5
"""Wrong PINs within a minute that lock a till."""

PIN_LOCK_MICROSECONDS = 60_000_000
"""How long a till is locked, and how long a wrong PIN is remembered."""


def _of(asked: sa.Select[Any], table: sa.Table) -> dict[bool, sa.Select[Any]]:
    """The question as it is asked of one organisation (True), and of all of them (False)."""
    return {True: asked.where(table.c.org_id == sa.bindparam("org")), False: asked}


def _key(column: sa.Column[Any], until: sa.ColumnElement[Any]) -> dict[bool, sa.Select[Any]]:
    """The key whose secret has its hash in that column, and when that secret dies."""
    asked = (
        sa.select(
            api_key.c.org_id,
            api_key.c.name,
            api_key.c.role,
            api_key.c.stores,
            organisation.c.api_rate_limit,
            api_key.c.id,
            api_key.c.permissions,
            api_key.c.addresses,
            api_key.c.expires_at,
            until,
        )
        .join(organisation, organisation.c.org_id == api_key.c.org_id)
        .where(column == sa.bindparam("key_hash"), api_key.c.active)
    )
    return _of(asked, api_key)


_PRESENT = _key(api_key.c.key_hash, sa.cast(sa.null(), sa.BigInteger))
_PREVIOUS = _key(api_key.c.previous_hash, api_key.c.previous_until)
USER_COLUMNS = (
    app_user.c.org_id,
    app_user.c.id,
    app_user.c.email,
    app_user.c.password_hash,
    app_user.c.role,
    app_user.c.stores,
)
_USERS = (
    sa.select(*USER_COLUMNS)
    .where(app_user.c.email == sa.bindparam("email"), app_user.c.active)
    .order_by(app_user.c.updated_at.desc(), app_user.c.org_id)
)
_SESSION = _of(
    sa.select(*USER_COLUMNS, browser_session.c.used_at)
    .join(
        browser_session,
        sa.and_(browser_session.c.org_id == app_user.c.org_id, browser_session.c.user_id == app_user.c.id),
    )
    .where(
        browser_session.c.token_hash == sa.bindparam("token_hash"),
        browser_session.c.expires_at > sa.bindparam("now"),
        browser_session.c.used_at > sa.bindparam("used_after"),
        browser_session.c.stage == "open",
        browser_session.c.created_at >= app_user.c.sessions_from,
        app_user.c.active,
    ),
    browser_session,
)

_TILL = _of(
    sa.select(
        register_session.c.org_id,
        register_session.c.id,
        register_session.c.register_id,
        register_session.c.store_id,
        till_lock.c.locked_until,
        app_user.c.id,
        app_user.c.email,
        app_user.c.role,
        app_user.c.stores,
        api_key.c.id,
        api_key.c.name,
        api_key.c.role,
        api_key.c.stores,
        api_key.c.permissions,
        api_key.c.addresses,
        api_key.c.expires_at,
        api_key.c.active,
        register_session.c.opener_id,
        register_session.c.opened_at,
        app_user.c.sessions_from,
        api_key.c.sessions_from,
    )
    .select_from(register_session)
    .outerjoin(
        till_lock,
        sa.and_(
            till_lock.c.org_id == register_session.c.org_id, till_lock.c.register_id == register_session.c.register_id
        ),
    )
    .outerjoin(
        app_user,
        sa.and_(
            app_user.c.org_id == register_session.c.org_id,
            app_user.c.id == register_session.c.opener_id,
            app_user.c.active,
        ),
    )
    .outerjoin(
        api_key,
        sa.and_(
            api_key.c.org_id == register_session.c.org_id,
            api_key.c.id == sa.func.coalesce(register_session.c.key_id, register_session.c.opener_id),
        ),
    )
    .where(
        register_session.c.token_hash == sa.bindparam("token_hash"), register_session.c.status == sa.bindparam("status")
    ),
    register_session,
)


def key_of(database: Database, key_hash: str, org_id: str | None = None) -> KeyRow | None:
    """The active API key with that SHA-256 of its secret, or of the one that it had before."""
    asked = {"key_hash": key_hash} | _named(org_id)
    with database.reading() as connection:
        # One after the other: most keys have their present secret, and a union is planned for twice the time.
        row = connection.execute(_PRESENT[org_id is not None], asked).first()
        row = row or connection.execute(_PREVIOUS[org_id is not None], asked).first()
    if row is None:
        return None
    dies = min((instant for instant in (row[8], row[9]) if instant is not None), default=None)
    narrowed = _narrowed(row[6]), _narrowed(row[7])
    return KeyRow(row[0], row[1], row[2], tuple(row[3]), row[4], row[5], *narrowed, dies, row[8] is not None)


def users_of(database: Database, email: str) -> list[UserRow]:
    """The active users with that email address, one for each organisation that knows it, the last changed first."""
    with database.reading() as connection:
        rows = connection.execute(_USERS, {"email": email}).all()
    return [user_of(row) for row in rows]


def browser_session_of(
    database: Database, token_hash: str, now: int, idle: int, org_id: str | None = None
) -> tuple[UserRow, int] | None:
    """The user of an open browser session, and when it was last used; it ends when it is not used for `idle`."""
    asked = {"token_hash": token_hash, "now": now, "used_after": now - idle} | _named(org_id)
    with database.reading() as connection:
        row = connection.execute(_SESSION[org_id is not None], asked).first()
    return None if row is None else (user_of(row), int(row[-1]))


def acting(database: Database, org_id: str, actor_id: str, now: int) -> Opener | None:
    """The active user or key with that id, as they may act now; None when they are gone."""
    users = sa.select(*USER_COLUMNS).where(app_user.c.org_id == org_id, app_user.c.id == actor_id, app_user.c.active)
    keys = sa.select(
        api_key.c.id,
        api_key.c.name,
        api_key.c.role,
        api_key.c.stores,
        api_key.c.permissions,
        api_key.c.addresses,
        api_key.c.expires_at,
    ).where(api_key.c.org_id == org_id, api_key.c.id == actor_id, api_key.c.active)
    with database.reading() as connection:
        row = connection.execute(users).first()
        if row is not None:
            user = user_of(row)
            return Opener(str(user.id), user.name, user.role, user.stores)
        key = connection.execute(keys).first()
    if key is None or (key[6] is not None and key[6] <= now):
        return None
    narrowed = _narrowed(key[4]), _narrowed(key[5]), key[6]
    return Opener(str(key[0]), f"key:{key[1]}"[:200], key[2], tuple(key[3]), *narrowed)


def till_of(database: Database, token_hash: str, org_id: str | None = None, *, status: str = "open") -> TillRow | None:
    """The register session with that SHA-256 of its token, if it is in that status."""
    asked = {"token_hash": token_hash, "status": status} | _named(org_id)
    with database.reading() as connection:
        row = connection.execute(_TILL[org_id is not None], asked).first()
    if row is None:
        return None
    opener = None
    opened_at, users_from, keys_from = row[18:]
    rolled = keys_from is not None and opened_at < keys_from
    ends = min((at for at in (row[15], keys_from if rolled else None) if at is not None), default=None)
    if (row[9] is not None and not row[16]) or opened_at < (users_from or 0):
        pass  # the key is gone, or the password, and with it whoever was let in by it
    elif row[5] is not None:
        opener = Opener(row[5], f"user:{row[6]}"[:200], row[7], tuple(row[8]), expires_at=ends)
    elif row[9] is not None and row[9] == row[17]:
        narrowed = (_narrowed(row[13]), _narrowed(row[14]), ends)
        opener = Opener(row[9], f"key:{row[10]}"[:200], row[11], tuple(row[12]), *narrowed)
    bounds = _narrowed(row[14]), row[9], _narrowed(row[13]), tuple(row[12] or ())
    return TillRow(row[0], row[1], row[2], row[3], row[4] or 0, opener, *bounds)


def end_browser_session(database: Database, token_hash: str, org_id: str | None = None) -> None:
    """Forget a browser session."""
    whose = [] if org_id is None else [browser_session.c.org_id == org_id]
    with database.writing() as connection:
        connection.execute(browser_session.delete().where(browser_session.c.token_hash == token_hash, *whose))


def is_there(database: Database) -> bool:
    """Does the database answer? Raises whatever its driver says when it does not."""
    with database.reading() as connection:
        return bool(connection.execute(sa.select(sa.literal(1))).scalar())


def _named(org_id: str | None) -> dict[str, str]:
    return {} if org_id is None else {"org": org_id}


def _narrowed(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def user_of(row: Any) -> UserRow:
    """The user of a row that begins with USER_COLUMNS."""
    return UserRow(row[0], row[1], row[2], row[3], row[4], tuple(row[5]))


OVERFLOW = "integer overflow"
"""What SQLite says of a sum that it cannot keep: the database is there, and should have been asked otherwise."""


def is_away(error: BaseException) -> bool:
    """Does this exception of a read mean that the database is away or overloaded, rather than a bug?"""
    if isinstance(error, sa.exc.OperationalError) and str(error.orig) == OVERFLOW:
        return False
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)


def words_of_away(error: BaseException) -> str:
    """What such an exception means, for a person."""
    cause = getattr(error, "orig", None)
    if isinstance(cause, psycopg.errors.LockNotAvailable):
        return "Another program holds a lock in the database on what this needs."
    if isinstance(cause, psycopg.errors.QueryCanceled) or "interrupted" in str(cause):
        return "The read took too long and was given up: ask for less at once."
    return "Too much is being read at once." if isinstance(error, sa.exc.TimeoutError) else "The database is away."


def products_named(
    database: Database, org_id: str, location_id: str | None, references: Collection[str]
) -> dict[str, tuple[str, int]]:
    """SKU and precision by product id: of the products that a location has reorder points for, and of the references.

    A reference is an id or a SKU; what names nothing is left out.
    """
    with database.reading() as connection:
        names = set(references)
        if location_id is not None:
            points = connection.execute(
                sa.select(location.c.reorder_points).where(location.c.org_id == org_id, location.c.id == location_id)
            ).scalar()
            names.update(points or ())
        found: dict[str, tuple[str, int]] = {}
        columns = (product.c.id, product.c.sku, product.c.precision)
        ids = sorted(name for name in names if _UUID.fullmatch(name))
        skus = sorted(name for name in names if not _UUID.fullmatch(name))
        for column, values in ((product.c.id, ids), (product.c.sku, skus)):
            for start in range(0, len(values), 5000):
                part = values[start : start + 5000]
                query = sa.select(*columns).where(product.c.org_id == org_id, column.in_(part))
                found.update({row[0]: (row[1], row[2]) for row in connection.execute(query)})
    return found
