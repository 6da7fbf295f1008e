"""Who is who, looked up without an organisation: API keys by hash, users by email, browser sessions by token.

    key_of(database, sha256(key))      -> KeyRow(org_id, name, role, stores, rate limit), or None
    session_of(database, hash, now)    -> SessionRow, or None when it ended or its user is gone

Nothing secret is stored: keys and tokens as SHA-256, passwords as Argon2. Times are microseconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.db.engine import Database
from holdfast.db.schema import api_key, app_user, browser_session, location, organisation, product

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KeyRow(msgspec.Struct, frozen=True, gc=False):
    """An active API key. `rate_limit` is requests per minute of its organisation, None without a limit."""

    org_id: str
    name: str
    role: str
    stores: tuple[str, ...]
    rate_limit: int | None


class UserRow(msgspec.Struct, frozen=True, gc=False):
    """An active user of one organisation."""

    org_id: str
    id: str
    email: str
    password_hash: str
    role: str
    stores: tuple[str, ...]


_KEY = (
    sa.select(api_key.c.org_id, api_key.c.name, api_key.c.role, api_key.c.stores, organisation.c.api_rate_limit)
    .join(organisation, organisation.c.org_id == api_key.c.org_id)
    .where(api_key.c.key_hash == sa.bindparam("key_hash"), api_key.c.active)
)
_USER_COLUMNS = (
    app_user.c.org_id,
    app_user.c.id,
    app_user.c.email,
    app_user.c.password_hash,
    app_user.c.role,
    app_user.c.stores,
)
_USERS = sa.select(*_USER_COLUMNS).where(app_user.c.email == sa.bindparam("email"), app_user.c.active)
_SESSION = (
    sa.select(*_USER_COLUMNS)
    .join(
        browser_session,
        sa.and_(browser_session.c.org_id == app_user.c.org_id, browser_session.c.user_id == app_user.c.id),
    )
    .where(
        browser_session.c.token_hash == sa.bindparam("token_hash"),
        browser_session.c.expires_at > sa.bindparam("now"),
        app_user.c.active,
    )
)


def key_of(database: Database, key_hash: str) -> KeyRow | None:
    """The active API key with that SHA-256."""
    with database.reading() as connection:
        row = connection.execute(_KEY, {"key_hash": key_hash}).first()
    return None if row is None else KeyRow(row[0], row[1], row[2], tuple(row[3]), row[4])


def users_of(database: Database, email: str) -> list[UserRow]:
    """The active users with that email address, one for each organisation that knows it."""
    with database.reading() as connection:
        rows = connection.execute(_USERS, {"email": email}).all()
    return [_user(row) for row in rows]


def session_of(database: Database, token_hash: str, now: int) -> UserRow | None:
    """The user of a browser session that has not ended."""
    with database.reading() as connection:
        row = connection.execute(_SESSION, {"token_hash": token_hash, "now": now}).first()
    return None if row is None else _user(row)


def begin_session(database: Database, token_hash: str, user: UserRow, now: int, expires_at: int) -> None:
    """Keep a new browser session, and drop those of the user that have ended."""
    with database.writing() as connection:
        connection.execute(
            browser_session.delete().where(
                browser_session.c.user_id == user.id,
                browser_session.c.org_id == user.org_id,
                browser_session.c.expires_at <= now,
            )
        )
        connection.execute(
            browser_session.insert().values(
                token_hash=token_hash, org_id=user.org_id, user_id=user.id, created_at=now, expires_at=expires_at
            )
        )


def end_session(database: Database, token_hash: str) -> None:
    """Forget a browser session."""
    with database.writing() as connection:
        connection.execute(browser_session.delete().where(browser_session.c.token_hash == token_hash))


def is_there(database: Database) -> bool:
    """Does the database answer? Raises whatever its driver says when it does not."""
    with database.reading() as connection:
        return bool(connection.execute(sa.select(sa.literal(1))).scalar())


def _user(row: Any) -> UserRow:
    return UserRow(row[0], row[1], row[2], row[3], row[4], tuple(row[5]))


def is_away(error: BaseException) -> bool:
    """Does this exception of a read mean that the database is away or overloaded, rather than a bug?"""
    return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)


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
