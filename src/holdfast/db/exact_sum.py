"""Exact sums: of any number of 64-bit integers, on both databases.

    sa.select(exact_sum(posting.c.amount))                  -> a Python int, or None of nothing
    f"SELECT {exact_sum_sql('t.amount', is_sqlite=True)}"   -> a text or number that `exact` makes an int of

PostgreSQL adds bigints up as numbers without a bound. SQLite adds in 64 bits, and a sum beyond them is an error: the
high and low halves of each number are added up apart there, which are soon enough put together (2**31 rows of any
numbers have no sum that does not fit). Use it wherever what is added up are amounts of money of any number of
commands: of one command they are bounded, of all of them they are not.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

HALF = 32
"""Bits of the lower half."""

_LOW = 2**HALF - 1


def exact_sum_sql(expression: str, *, is_sqlite: bool) -> str:
    """The SQL of the sum of an integer expression, whose answer is for `exact`."""
    if not is_sqlite:
        return f"sum({expression})"
    return f"(sum(({expression}) >> {HALF}) || ' ' || sum(({expression}) & {_LOW}))"


def exact(answer: Any) -> int:
    """The sum that a database has answered; 0 of nothing."""
    if answer is None:
        return 0
    if isinstance(answer, str):
        high, low = answer.split()
        return (int(high) << HALF) + int(low)
    return int(answer)


class _ExactNumber(sa.TypeDecorator[int]):
    """What `exact_sum` answers."""

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> int | None:
        """The sum as an int; None of nothing."""
        return None if value is None else exact(value)


class exact_sum(FunctionElement[int]):
    """The sum of an integer column or expression."""

    name = "exact_sum"
    type = _ExactNumber()
    inherit_cache = True


@compiles(exact_sum)
def _written(element: exact_sum, compiler: Any, **more: Any) -> str:
    is_sqlite = compiler.dialect.name == "sqlite"
    return exact_sum_sql(compiler.process(element.clauses, **more), is_sqlite=is_sqlite)
