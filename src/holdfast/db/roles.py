"""Two roles on PostgreSQL: the owner migrates, the application may not rewrite the past.

    grant(connection, "holdfast_app")     as the owner, within a migration
    owner_of(database)                    -> "holdfast": the role at work owns the tables; None: it does not

The application may read and add to every table. It may change and remove rows, but of the append-only tables
(`schema.APPEND_ONLY`) only change the columns that are named there. Whoever owns a table may do everything with it and
grant it to himself, so the application's role must neither own the tables nor be a member of the owner's role.
"""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.db.engine import Database
from holdfast.db.schema import APPEND_ONLY, metadata

VERSION_TABLE = "alembic_version"


class NotGrantable(Exception):
    """The role cannot be the application's; the message says why."""


def grant(connection: sa.Connection, role: str | None) -> None:
    """Grant the role what a server needs; without one, every role that was granted it before."""
    if role is not None:
        _refuse_strong(connection, role)
    for name in sorted({*_granted(connection), *([role] if role is not None else [])}):
        quoted = connection.dialect.identifier_preparer.quote_identifier(name)
        for statement in _grants(quoted, _schema(connection)):
            connection.exec_driver_sql(statement.replace("%", "%%"))


def _grants(role: str, schema: str) -> list[str]:
    statements = [
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON {VERSION_TABLE} TO {role}",
        f"GRANT EXECUTE ON FUNCTION holdfast_analyze(regclass) TO {role}",
    ]
    for table in metadata.tables:
        changed = APPEND_ONLY.get(table)
        update = "UPDATE, DELETE" if changed is None else f"UPDATE ({', '.join(changed)})" if changed else ""
        statements.append(f"REVOKE ALL ON {table} FROM {role}")
        statements.append(f"GRANT {', '.join(filter(None, ('SELECT', 'INSERT', update)))} ON {table} TO {role}")
    return statements


def _refuse_strong(connection: sa.Connection, role: str) -> None:
    """A role that could undo what is not granted to it is no protection."""
    found = connection.execute(
        sa.text(
            "SELECT r.rolsuper, pg_has_role(r.oid, (SELECT relowner FROM pg_class WHERE oid = 'ledger'::regclass), "
            "'MEMBER') FROM pg_roles r WHERE r.rolname = :role"
        ),
        {"role": role},
    ).first()
    if found is None:
        raise NotGrantable(f"There is no role {role}: make it first, with CREATE ROLE {role} LOGIN.")
    if found[0]:
        raise NotGrantable(f"The role {role} is a superuser, whom nothing is refused: take another one.")
    if found[1]:
        raise NotGrantable(f"The role {role} owns the tables, or may act as their owner: take another one.")


def _granted(connection: sa.Connection) -> list[str]:
    """The roles that may add to the ledger and do not own it."""
    return list(
        connection.execute(
            sa.text(
                "SELECT r.rolname FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a "
                "JOIN pg_roles r ON r.oid = a.grantee "
                "WHERE c.oid = 'ledger'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner"
            )
        ).scalars()
    )


def _schema(connection: sa.Connection) -> str:
    name = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    return connection.dialect.identifier_preparer.quote_identifier(name)


def other_owner(connection: sa.Connection, table: str) -> str | None:
    """Who owns the table, when the role at work may not act for him; None when it may, or there is no such table."""
    owner: str | None = connection.execute(
        sa.text(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass(:table) "
            "AND NOT pg_has_role(relowner, 'USAGE')"
        ),
        {"table": table},
    ).scalar()
    return owner


def owner_of(database: Database) -> str | None:
    """The role at work, when it may rewrite the ledger as the owner of its table; always None on SQLite."""
    if database.is_sqlite:
        return None
    with database.reading() as connection:
        role: str | None = connection.exec_driver_sql(
            "SELECT current_user FROM pg_class WHERE oid = 'ledger'::regclass AND pg_has_role(relowner, 'USAGE')"
        ).scalar()
    return role
