"""The shape of a command: exactly the types that it declares, or a refusal that names the field.

    shaped(Reserve("MUG-1", "2"))                 -> INVALID_REQUEST, field quantity: Expected number, got text.
    shaped(AddStore(code="east"))                 -> AddStore(code="EAST")
    shaped(ChangeProduct("MUG-1", gtin="12"))     -> INVALID_REQUEST, field gtin: must be a GTIN ...

Every command passes here on its way in, whichever door it came through; a body over HTTP also does by itself
(`fault_of`), so that the refusal says the same. Texts come out as they are kept (`core.records.text.composed`). It
refuses wrong types, unknown values, texts that are too long or hold what nobody sees, instants outside of the calendar.
What only other records can tell (does it exist, does it fit the precision) is for the decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import UNSET, Meta

from holdfast.core.records.command import Command, CommandGroup
from holdfast.core.records.field import CHECK, Malformed
from holdfast.core.records.learned_type import learned
from holdfast.core.records.number import Quantity
from holdfast.core.records.plain import plain_test
from holdfast.core.records.rejection import Rejected, malformed
from holdfast.core.records.text import TEXT_MAX, UNPRINTABLE, composed, text_fault

DEPTH_MAX = 4
"""How deep groups of commands may lie in each other."""

_INT_MAX = 2**63 - 1
_REFERENCE = ("_id", "_hash")
"""Names of fields whose texts the decision looks up as they are: what is none is not found."""


def shaped(command: Any, depth: int = 0) -> Command | Rejected:
    """The command with every value as it is kept, or why it cannot be."""
    if isinstance(command, CommandGroup):
        return _shaped_group(command, depth)
    kind: Any = type(command)
    if not isinstance(command, Command):
        return malformed("", f"{kind.__name__} is not a command.").rejected
    if plain_test(kind)(command):
        return command
    try:
        given: Command = msgspec.convert(_tree(command), learned(kind))
    except msgspec.ValidationError as error:
        return _complaint(str(error))
    except (TypeError, ValueError, OverflowError, RecursionError):  # a lone surrogate, a list that holds itself
        return malformed("", "a value cannot be read.").rejected
    try:
        return _kept(given)  # type: ignore[no-any-return] # of the same type
    except _Fault as fault:
        return malformed(fault.path(), fault.words).rejected


def fault_of(body: Any) -> Rejected | None:
    """Why a value in a decoded body cannot be; None when all can, or when it is no Struct, whose types say nothing."""
    kind: Any = type(body)
    if not isinstance(body, msgspec.Struct) or not _plan(kind).checks:
        return None
    try:
        _kept(body)
    except _Fault as fault:
        return malformed(fault.path(), fault.words).rejected
    return None


def _shaped_group(group: CommandGroup, depth: int) -> CommandGroup | Rejected:
    given: Any = group  # a dataclass holds whatever it was given
    if not isinstance(given.commands, tuple | list) or type(given.atomic) is not bool:
        return malformed("commands", "a group is a tuple of commands, and atomic is true or false.").rejected
    if depth >= DEPTH_MAX:
        return malformed("commands", "groups lie too deep in each other.").rejected
    members = []
    for index, member in enumerate(group.commands):
        found = shaped(member, depth + 1)
        if isinstance(found, Rejected):
            field = f"commands.{index}.{found.numbers.get('field', '')}".rstrip(".")
            return Rejected(found.code, f"commands.{index}.{found.detail}", {"field": field})
        members.append(found)
    return CommandGroup(tuple(members), group.atomic)


_SIMPLE = frozenset({str, int, bool, NoneType, Decimal})


def _tree(value: Any) -> Any:
    """The value without its Structs, so that every part of it is tested; what was not given is left out."""
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if isinstance(value, msgspec.Struct):
        fields = msgspec.structs.asdict(value)
        for name, part in [item for item in fields.items() if type(item[1]) not in _SIMPLE]:
            if part is UNSET:
                del fields[name]  # its default
            else:
                fields[name] = _tree(part)
        return fields
    if kind is tuple or kind is list:
        return [_tree(part) for part in value]
    if kind is dict:
        return {_tree(key): _tree(part) for key, part in value.items()}
    if isinstance(value, Enum):
        return value.value
    for plain, exact in _EXACT:  # of a subclass only the value is taken, whatever else it brings
        if isinstance(value, plain):
            return exact(value)
    return value


_EXACT: tuple[tuple[type, Any], ...] = ((str, str.__str__), (int, int.__int__), (Decimal, Decimal))


# What a field may be -------------------------------------------------------------------------------------------------


class _Field(NamedTuple):
    """What a field's type says: its check, whether texts have bounds of their own, whether its numbers are exact."""

    name: str
    check: Any
    bounded: bool
    exact: bool


class _Plan(NamedTuple):
    """The fields of a Struct; whether one of them, or of the Structs inside, has a check."""

    fields: tuple[_Field, ...]
    checks: bool


@cache
def _plan(kind: type[msgspec.Struct]) -> _Plan:
    fields, checks = [], False
    hints = get_type_hints(kind, include_extras=True)
    for name in kind.__struct_fields__:
        parts = list(_parts(hints[name]))
        metas = [part for part in parts if isinstance(part, Meta)]
        check = next((meta.extra[CHECK] for meta in metas if meta.extra and CHECK in meta.extra), None)
        bounded = name.endswith(_REFERENCE) or any(meta.max_length is not None for meta in metas)
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        fields.append(_Field(name, check, bounded, Quantity in parts))
        checks = checks or check is not None or any(_plan(part).checks for part in inner if part is not kind)
    return _Plan(tuple(fields), checks)


def _parts(hint: Any) -> Iterator[Any]:
    """Everything that a type is made of: the types of a union, the items of a tuple, the constraints."""
    origin = get_origin(hint)
    if origin is Annotated:
        base, *metas = get_args(hint)
        yield from metas
        yield from _parts(base)
    elif origin is not None and (origin in (Union, UnionType, tuple, list, dict)):
        for part in get_args(hint):
            yield from _parts(part)
    else:
        yield hint


class _Fault(Exception):
    """A value cannot be; `steps` lead to it from the inside out."""

    def __init__(self, words: str, step: str) -> None:
        super().__init__(words)
        self.words = words
        self.steps = [step]

    def path(self) -> str:
        """The dotted path of the value."""
        return ".".join(reversed(self.steps))


def _kept(struct: Any) -> Any:
    """The Struct with every text as it is kept."""
    changes = {}
    kind: Any = type(struct)
    for field in _plan(kind).fields:
        value = getattr(struct, field.name)
        kept = _kept_value(field, value)
        if kept is not value:
            changes[field.name] = kept
    return msgspec.structs.replace(struct, **changes) if changes else struct


def _kept_value(field: _Field, value: Any) -> Any:
    kind = type(value)
    if value is None or value is UNSET or kind is bool:
        return value
    if kind is str:
        return _kept_text(field, value)
    if kind is int:
        if not field.exact and not -_INT_MAX <= value <= _INT_MAX:
            raise _Fault("is out of bounds.", field.name)
        return value
    if kind is dict:
        return _kept_dict(field, value)
    if kind is tuple or kind is list:
        return kind(_inside(field.name, str(index), field, part) for index, part in enumerate(value))
    if isinstance(value, msgspec.Struct):
        try:
            return _kept(value)
        except _Fault as fault:
            fault.steps.append(field.name)
            raise
    return value


def _inside(name: str, step: str, field: _Field, part: Any) -> Any:
    """A member of a list or object; a Struct in it says itself which of its fields is wrong."""
    try:
        return _kept(part) if isinstance(part, msgspec.Struct) else _kept_value(field, part)
    except _Fault as fault:
        if not isinstance(part, msgspec.Struct):
            fault.steps.pop()
        fault.steps += [step, name]
        raise


def _kept_dict(field: _Field, value: dict[Any, Any]) -> dict[Any, Any]:
    kept: dict[Any, Any] = {}
    for key, part in value.items():
        name = _kept_text(field, key) if type(key) is str else key
        if name in kept:
            raise _Fault(f"{name!r} appears twice.", field.name)
        kept[name] = _inside(field.name, str(key), field, part)
    return kept


def _kept_text(field: _Field, text: str) -> str:
    kept = composed(text)
    words = text_fault(field.name, kept)
    if words is not None:
        raise _Fault(words, field.name)
    if not field.bounded and not 1 <= len(kept) <= TEXT_MAX:
        raise _Fault(f"must have 1 to {TEXT_MAX} characters.", field.name)
    if field.check is not None:
        try:
            return field.check(kept)  # type: ignore[no-any-return] # a check answers the value
        except Malformed as error:
            raise _Fault(str(error), field.name) from None
    return kept


# msgspec's complaints, in plain words --------------------------------------------------------------------------------

_STEP = re.compile(r"\[(\d+|\.\.\.)\]")
_AT = re.compile(r"(?s)^(.*?)(?: - at `(?:key in )?\$(.*)`)?$")
_NAMED = re.compile(r"(?s)^Object (missing required|contains unknown) field `(.*)`$")
_QUOTED = re.compile(r"`([a-zA-Z.]+(?: \| [a-zA-Z.]+)*)`")
_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "decimal.Decimal": "number",
    "Quantity": "number",
    "bool": "true/false",
    "NoneType": "null",
    "None": "null",
    "array": "list",
    "dict": "object",
}
"""What JSON calls the types that msgspec names."""


def complaint_parts(message: str) -> tuple[str, str]:
    """(field, words) of msgspec's complaint: "Expected `int` - at `$.lines[0].quantity`" names lines.0.quantity."""
    match = _AT.match(message)
    assert match is not None
    said, path = match.group(1), match.group(2) or ""
    field = _STEP.sub(lambda step: "" if step.group(1) == "..." else f".{step.group(1)}", path).strip(".")
    named = _NAMED.match(said)
    if named is not None:
        field = f"{field}.{shown(named.group(2))}".strip(".")
        return field, "is required." if named.group(1).startswith("missing") else "is not a known field."
    said = _QUOTED.sub(lambda types: " or ".join(map(_word, types.group(1).split(" | "))), said)
    return field, f"{said}."


def _complaint(message: str) -> Rejected:
    field, words = complaint_parts(message)
    return malformed(field, words).rejected


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def shown(text: str) -> str:
    """A text from outside, fit to be shown in an answer."""
    return UNPRINTABLE.sub("\ufffd", text)[:TEXT_MAX]
