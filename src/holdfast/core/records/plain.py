"""The plain test: is every field of a command of its type, and an ordinary value? Then it is right as it is.

    plain_test(Reserve)(Reserve("MUG-1", 1))         -> True
    plain_test(Reserve)(Reserve("MUG-1", "1"))       -> False: `shape` looks at it, and names the field
    plain_test(Reserve)(Reserve("mu\u0308g-1", 1))   -> False: `shape` looks at it, and finds it right

Every command takes this test, so it is made once for each type of command, as the source of a function, and compiled.
A test that walks over the fields answers the same and took 4.7 us for a Reserve; this one takes 1.0
(docs/decisions/0033-what-is-tested-of-each-command-has-its-price.md). The source is made of the names and types that a
command declares, never of a value. It refuses nothing: what is not plain is for `shape`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from holdfast.core.records.field import VALUES
from holdfast.core.records.number import Quantity
from holdfast.core.records.text import TEXT_MAX

PlainTest = Callable[[Any], bool]

_INT_MAX = 2**63 - 1
_TEXT = f"value and value.isascii() and value.isprintable() and len(value) <= {TEXT_MAX}"


class _Conditions(NamedTuple):
    """What makes a field's value plain: one of these types; items of a tuple of those; a text of these values; an
    integer in these bounds."""

    types: frozenset[Any]
    items: frozenset[Any]
    values: frozenset[str] | None
    least: int
    most: int


@cache
def plain_test(kind: type[msgspec.Struct]) -> PlainTest:
    """The test of a type: true when every field of a struct has its default, or a plain value."""
    names: dict[str, Any] = {"NoneType": NoneType, "Decimal": Decimal}
    hints = get_type_hints(kind, include_extras=True)
    lines = ["def test(struct):"]
    for number, field in enumerate(msgspec.structs.fields(kind)):
        names[f"default{number}"] = field.default
        choices = " or ".join(_choices_of(number, _conditions(hints[field.name]), names)) or "False"
        lines += [
            f"    value = struct.{field.name}",
            f"    if value is not default{number}:",
            "        kind = value.__class__",
            f"        if not ({choices}):",
            "            return False",
        ]
    lines.append("    return True")
    exec("\n".join(lines), names)
    made: PlainTest = names["test"]
    return made


def _choices_of(number: int, conditions: _Conditions, names: dict[str, Any]) -> Iterator[str]:
    """Python expressions over `kind` and `value`, one for each type that a plain value of field `number` may have;
    what they name is put into `names`."""
    if str in conditions.types:
        if conditions.values is None:
            yield f"kind is str and {_TEXT}"
        else:
            names[f"values{number}"] = conditions.values
            yield f"kind is str and value in values{number}"
    if int in conditions.types:
        yield f"kind is int and {conditions.least} <= value <= {conditions.most}"
    if tuple in conditions.types:
        tests = {part: plain_test(part) for part in conditions.items}
        names[f"tests{number}"] = tests
        tested = f"part.__class__ in tests{number} and tests{number}[part.__class__](part)"
        yield f"kind is tuple and all({tested} for part in value)"
    for index, part in enumerate(filter(_is_struct, conditions.types)):
        name = f"{number}_{index}"
        names[f"part{name}"], names[f"test{name}"] = part, plain_test(part)
        yield f"kind is part{name} and test{name}(value)"
    for plain in (bool, NoneType, Decimal):
        if plain in conditions.types:
            yield f"kind is {plain.__name__}"


def _conditions(hint: Any) -> _Conditions:
    """What makes a value of this type plain; a type with conditions of another kind has only its default."""
    choices = list(_choices(hint))
    metas = [choice for choice in choices if isinstance(choice, Meta)]
    bounds = [meta for meta in metas if meta.ge is not None and meta.le is not None]
    few = [meta.extra[VALUES] for meta in metas if meta.extra and VALUES in meta.extra]
    if len(bounds) + len(few) != len(metas) or len(metas) > 1:
        return _Conditions(frozenset(), frozenset(), None, 0, 0)
    literals = [choice for choice in choices if get_origin(choice) is Literal]
    values: frozenset[str] | None = few[0] if few and not literals else None
    if len(literals) == 1 and str not in choices:
        values = frozenset(get_args(literals[0]))
    types: set[Any] = set()
    items: set[Any] = set()
    for choice in choices:
        if choice is Quantity:
            types |= {int, Decimal}
        elif choice is str or choice in literals:
            types |= {str} if not bounds and (values is not None or not literals) else set()
        elif get_origin(choice) is tuple:
            part, *more = get_args(choice)
            if more == [...] and _is_struct(part):
                types.add(tuple)
                items.add(part)
        elif choice in (bool, NoneType, int) or _is_struct(choice):
            types.add(choice)
    least, most = (int(bounds[0].ge or 0), int(bounds[0].le or 0)) if bounds else (-_INT_MAX, _INT_MAX)
    return _Conditions(frozenset(types), frozenset(items), values, least, most)


def _choices(hint: Any) -> Iterator[Any]:
    """The types of a union, and the constraints of those that have some."""
    origin = get_origin(hint)
    if origin is Annotated:
        inner, *metas = get_args(hint)
        yield from metas
        yield from _choices(inner)
    elif origin in (Union, UnionType):
        for part in get_args(hint):
            yield from _choices(part)
    else:
        yield hint


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
