"""Browser sessions and second factors as people see and end them; who a session is of is told by `credentials`.

    begin(database, token_hash, user, Begun(...))
    listed(database, org_id, user_id, now)     -> [BrowserSessionRow(...)]
    end(database, org_id, user_id, session_id)

Times are microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
import uuid_utils
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.db.credentials import UserRow
from holdfast.db.engine import Database
from holdfast.db.schema import app_user, browser_session, organisation, second_factor

SESSIONS_MAX = 100
"""Most sessions of a user; beginning another ends the one that was used longest ago."""

OPEN = "open"
DEVICE_CHARACTERS_MAX = 200

_session = browser_session.c


class Begun(NamedTuple):
    """How a session begins: until when it may last, what is still to be done, from where."""

    now: int
    expires_at: int
    stage: str
    address: str
    device: str


class BrowserSessionRow(NamedTuple):
    """A session as its user sees it."""

    id: str
    begun_at: int
    used_at: int
    address: str | None
    device: str | None
    token_hash: str


class Pending(NamedTuple):
    """A session that is not open yet: what is to be done before."""

    org_id: str
    user_id: str
    email: str
    stage: str


class Factor(NamedTuple):
    """A second factor: the secret (base32), the hashes of recovery codes that are left, the last step used."""

    secret: str
    codes: tuple[str, ...]
    last_step: int


class Demands(NamedTuple):
    """What a user has to do beside the password: a first password to change, a second factor that is there or due."""

    first_password: bool
    has_factor: bool
    needs_factor: bool


def begin(database: Database, token_hash: str, user: UserRow, begun: Begun) -> bool:
    """Keep a new session, and drop those of the user that have ended or are too many.

    False, and nothing is kept, when the password that was compared is not the user's any more: comparing takes half a
    second, in which it may be changed.
    """
    own = sa.and_(_session.org_id == user.org_id, _session.user_id == user.id)
    with database.writing() as connection:
        # The write comes first: on SQLite a transaction that has read before may find that it may not write any more.
        connection.execute(browser_session.delete().where(own, _session.expires_at <= begun.now))
        ended = sa.select(app_user.c.sessions_from, app_user.c.password_hash)
        row = connection.execute(ended.where(app_user.c.org_id == user.org_id, app_user.c.id == user.id)).first()
        if row is None or row.password_hash != user.password_hash:
            return False
        extra = sa.select(_session.token_hash).where(own).order_by(_session.used_at.desc()).offset(SESSIONS_MAX - 1)
        old = list(connection.execute(extra.limit(SESSIONS_MAX)).scalars())
        if old:
            connection.execute(browser_session.delete().where(own, _session.token_hash.in_(old)))
        connection.execute(
            browser_session.insert().values(
                token_hash=token_hash,
                org_id=user.org_id,
                user_id=user.id,
                created_at=max(begun.now, row.sessions_from),  # it is younger than those that were ended
                expires_at=begun.expires_at,
                id=str(uuid_utils.uuid7()),
                stage=begun.stage,
                begun_at=begun.now,
                used_at=begun.now,
                address=begun.address[:64] or None,
                device=begun.device[:DEVICE_CHARACTERS_MAX] or None,
            )
        )
    return True


def keep(database: Database, token_hash: str, org_id: str, user_id: str, now: int) -> None:
    """Let this session go on after its user has changed the password in it."""
    ended = sa.select(app_user.c.sessions_from).where(app_user.c.org_id == org_id, app_user.c.id == user_id)
    since = ended.scalar_subquery()
    same = sa.and_(_session.token_hash == token_hash, _session.org_id == org_id, _session.user_id == user_id)
    with database.writing() as connection:  # one statement: on SQLite a look would have to be repeated
        connection.execute(
            browser_session.update().where(same).values(created_at=sa.case((since > now, since), else_=now))
        )


def touch(database: Database, token_hash: str, org_id: str, now: int) -> None:
    """Remember that the session was used."""
    same = sa.and_(_session.token_hash == token_hash, _session.org_id == org_id)
    with database.writing() as connection:
        connection.execute(browser_session.update().where(same).values(used_at=now))


def pending(database: Database, token_hash: str, now: int, org_id: str | None = None) -> Pending | None:
    """The session that still asks for something; a token of before names no organisation."""
    asked = (
        sa.select(app_user.c.org_id, app_user.c.id, app_user.c.email, _session.stage)
        .join(browser_session, sa.and_(_session.org_id == app_user.c.org_id, _session.user_id == app_user.c.id))
        .where(
            _session.token_hash == token_hash,
            _session.stage != OPEN,
            _session.expires_at > now,
            _session.created_at >= app_user.c.sessions_from,
            app_user.c.active,
        )
    )
    if org_id is not None:
        asked = asked.where(_session.org_id == sa.bindparam("org"))
    with database.reading() as connection:
        row = connection.execute(asked, {} if org_id is None else {"org": org_id}).first()
    return None if row is None else Pending(*row)


def demands(database: Database, org_id: str, user_id: str) -> Demands:
    """What the user has to do beside giving the password."""
    asked = (
        sa.select(app_user.c.first_password, second_factor.c.user_id, organisation.c.totp_roles, app_user.c.role)
        .join(organisation, organisation.c.org_id == app_user.c.org_id)
        .outerjoin(
            second_factor,
            sa.and_(second_factor.c.org_id == app_user.c.org_id, second_factor.c.user_id == app_user.c.id),
        )
        .where(app_user.c.org_id == org_id, app_user.c.id == user_id)
    )
    with database.reading() as connection:
        first, factor, roles, role = connection.execute(asked).one()
    return Demands(bool(first), factor is not None, role in (roles or "").split())


def listed(database: Database, org_id: str, user_id: str, now: int, idle: int) -> list[BrowserSessionRow]:
    """The user's open sessions, the last used first; `idle` is how long one lasts unused."""
    asked = (
        sa.select(
            _session.id, _session.begun_at, _session.used_at, _session.address, _session.device, _session.token_hash
        )
        .join(app_user, sa.and_(app_user.c.org_id == _session.org_id, app_user.c.id == _session.user_id))
        .where(
            _session.org_id == org_id,
            _session.user_id == user_id,
            _session.stage == OPEN,
            _session.expires_at > now,
            _session.used_at > now - idle,
            _session.created_at >= app_user.c.sessions_from,
        )
        .order_by(_session.used_at.desc())
        .limit(SESSIONS_MAX)
    )
    with database.reading() as connection:
        return [BrowserSessionRow(*row) for row in connection.execute(asked)]


def end(database: Database, org_id: str, user_id: str, session_id: str | None, *, but: str = "") -> list[str]:
    """End a session of the user, or all (but the one with that hash of its token); the hashes of their tokens."""
    where = [_session.org_id == org_id, _session.user_id == user_id, _session.token_hash != but]
    if session_id is not None:
        where.append(_session.id == session_id)
    with database.writing() as connection:
        gone = connection.execute(browser_session.delete().where(*where).returning(_session.token_hash))
        return list(gone.scalars())


# Second factors ------------------------------------------------------------------------------------------------------


def factor(database: Database, org_id: str, user_id: str) -> Factor | None:
    """The user's second factor."""
    columns = (second_factor.c.secret, second_factor.c.codes, second_factor.c.last_step)
    asked = sa.select(*columns).where(second_factor.c.org_id == org_id, second_factor.c.user_id == user_id)
    with database.reading() as connection:
        row = connection.execute(asked).first()
    return None if row is None else Factor(row[0], tuple(row[1]), int(row[2]))


def set_factor(
    database: Database, org_id: str, user_id: str, made: Factor, now: int, *, instead: str | None = None
) -> bool:
    """Give the user a second factor: their first, or `instead` of the one with that secret.

    False, and nothing is changed, when the user has another factor than the caller knows of.
    """
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    fields = {"secret": made.secret, "codes": list(made.codes), "last_step": made.last_step, "created_at": now}
    own = sa.and_(second_factor.c.org_id == org_id, second_factor.c.user_id == user_id)
    statement: sa.Insert | sa.Update
    if instead is None:
        first = insert(second_factor).values(org_id=org_id, user_id=user_id, **fields)
        statement = first.on_conflict_do_nothing(index_elements=["org_id", "user_id"])
    else:
        statement = second_factor.update().where(own, second_factor.c.secret == instead).values(**fields)
    with database.writing() as connection:
        return bool(connection.execute(statement).rowcount)


def use_factor(database: Database, org_id: str, user_id: str, before: Factor, after: Factor) -> bool:
    """Use a step or a recovery code up; False when somebody else did at the same moment."""
    same = sa.and_(
        second_factor.c.org_id == org_id,
        second_factor.c.user_id == user_id,
        second_factor.c.secret == before.secret,
        second_factor.c.last_step == before.last_step,
    )
    with database.writing() as connection:
        if database.is_sqlite:  # takes the lock on the file before it looks
            connection.execute(second_factor.update().where(same).values(secret=before.secret))
        row = connection.execute(sa.select(second_factor.c.codes).where(same).with_for_update()).first()
        if row is None or tuple(row[0]) != before.codes:
            return False
        values = {"codes": list(after.codes), "last_step": after.last_step}
        connection.execute(second_factor.update().where(same).values(**values))
    return True


def drop_factor(database: Database, org_id: str, user_id: str) -> bool:
    """Take the second factor away; was there one?"""
    same: Sequence[sa.ColumnElement[bool]] = (second_factor.c.org_id == org_id, second_factor.c.user_id == user_id)
    with database.writing() as connection:
        return bool(connection.execute(second_factor.delete().where(*same)).rowcount)
