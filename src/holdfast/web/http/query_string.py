"""Query strings: the parameters of a read, made from the Struct of its filter, and decoded into it.

    parameters_of(SaleFilter)                    -> (Parameter("status", "Only with this status.", ...), ...)
    values_of(parameters, b"status=open&limit=5")   -> {"status": "open", "limit": 5}
    filter_of(SaleFilter, parameters, values)    -> SaleFilter(status="open")

A field of a filter with a description is a parameter: its type says how the text is read (`db.queries.filters`). It
refuses a parameter that is not known, one that is given twice, and a text that its kind cannot be; a Problem names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from holdfast.core.records.text import FORMAT_WORDS, composed, text_fault
from holdfast.core.records.time import day_of, instant_of
from holdfast.db.queries.filters import Filter
from holdfast.reports import LIMIT_DEFAULT, LIMIT_MAX
from holdfast.web.http.problems import invalid
from holdfast.web.http.strict_json import TEXT_MAX, unprintable

ParameterKind = Literal[
    "text", "integer", "number", "boolean", "instant", "day", "moment", "threshold", "code", "limit", "cursor"
]

CURSOR_MAX = 500
"""Longest cursor, in characters."""

FIELDS_MAX = 50
"""Most parameters of one query string."""

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{1,4})?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_PLAIN: dict[Any, ParameterKind] = {str: "text", int: "integer", bool: "boolean"}

F = TypeVar("F", bound=Filter)


class Parameter(msgspec.Struct, frozen=True):
    """A query parameter. `choices` are all the values that a text may have; `field` is the filter's."""

    name: str
    about: str
    kind: ParameterKind = "text"
    required: bool = False
    choices: tuple[str, ...] = ()
    field: str = ""

    @property
    def shown(self) -> str:
        """Its kind in the documentation: what is more than one kind is a text there, and its words say the rest."""
        return "text" if self.kind in ("moment", "threshold") else self.kind


LIMIT = Parameter("limit", f"How many items a page has, 1 to {LIMIT_MAX}; {LIMIT_DEFAULT} by default.", "limit")
CURSOR = Parameter("cursor", "Where to go on: the `next_cursor` of the page before.", "cursor")
PAGED = (LIMIT, CURSOR)
STORE = Parameter("store_id", "Only this store (id or code).")


# What a filter's fields are ------------------------------------------------------------------------------------------


def parameters_of(filter_type: type[Filter]) -> tuple[Parameter, ...]:
    """The parameters of a filter: its fields that have a description."""
    parameters = []
    for field in msgspec.structs.fields(filter_type):
        about = next((meta.description for meta in _metas(field.type) if meta.description), None)
        if about is not None:
            kind, choices = _kind_of(field.type)
            parameters.append(Parameter(field.encode_name, about, kind, field.required, choices, field.name))
    return tuple(parameters)


def _metas(kind: Any) -> list[msgspec.Meta]:
    return [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]


def _kind_of(kind: Any) -> tuple[ParameterKind, tuple[str, ...]]:
    """How the text of a field is read, and the values that it may have if they are few."""
    for meta in _metas(kind):
        if meta.extra is not None:
            return meta.extra["query"], ()
    if hasattr(kind, "__metadata__"):
        return _kind_of(kind.__origin__)
    if get_origin(kind) is Literal:
        return "text", get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        [given] = [one for one in get_args(kind) if one is not NoneType]
        return _kind_of(given)
    return _PLAIN[kind], ()


# What a query string says --------------------------------------------------------------------------------------------


def values_of(parameters: Mapping[str, Parameter], query_string: bytes) -> dict[str, Any]:
    """The query's parameters by name, converted; a Problem names what is wrong."""
    values: dict[str, Any] = {}
    if query_string:
        for name, text in _pairs(query_string):
            parameter = parameters.get(name)
            if parameter is None:
                shown = "" if unprintable(name) else name[:TEXT_MAX]
                raise invalid(shown or "query", "is not a known parameter.")
            if name in values:
                raise invalid(name, "is given twice.")
            values[name] = _converted(parameter, text)
    for parameter in parameters.values():
        if parameter.required and parameter.name not in values:
            raise invalid(parameter.name, "is required.")
    return values


def filter_of(filter_type: type[F], parameters: Mapping[str, Parameter], values: Mapping[str, Any]) -> F:
    """The filter that has these values of its parameters, and its defaults for the others."""
    named = ((parameters[name].field, value) for name, value in values.items())
    return filter_type(**{field: value for field, value in named if field})


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise invalid("query", "cannot be read: percent-encode UTF-8.") from None


def _converted(parameter: Parameter, text: str) -> Any:
    name = parameter.name
    if parameter.kind == "cursor":
        if not text or len(text) > CURSOR_MAX or not text.isascii() or unprintable(text):
            raise invalid(name, "is not a cursor of this list.")
        return text
    if not text or len(text) > TEXT_MAX or (unprintable(text) and parameter.kind != "code"):
        raise invalid(name, f"must have 1 to {TEXT_MAX} characters, none of them control characters.")
    if parameter.kind != "code" and text_fault(name, text) is not None:
        raise invalid(name, FORMAT_WORDS)
    text = composed(text)
    if parameter.choices and text not in parameter.choices:
        raise invalid(name, f"must be one of {', '.join(parameter.choices)}.")
    match parameter.kind:
        case "limit" | "integer" | "number" | "threshold":
            return _number(parameter, text)
        case "boolean":
            if text not in _BOOLEANS:
                raise invalid(name, "must be true or false.")
            return _BOOLEANS[text]
        case "instant":
            at = instant_of(text.replace(" ", "+"))
            if at is None:
                raise invalid(name, "must be an ISO 8601 instant with its offset, as 2030-01-31T12:00:00Z.")
            return at
        case "day":
            if day_of(text) is None:
                raise invalid(name, "must be a day, as 2030-01-31.")
            return text
        case "moment":
            day = day_of(text)
            moment = day if day is not None else instant_of(text.replace(" ", "+"))
            if moment is None:
                raise invalid(name, "must be a day, as 2030-01-31, or an instant, as 2030-01-31T12:00:00Z.")
            return moment
    return text


def _number(parameter: Parameter, text: str) -> Any:
    """A number, or for a threshold a boolean too."""
    name = parameter.name
    match parameter.kind:
        case "limit":
            if not _INTEGER.fullmatch(text) or not 1 <= int(text) <= LIMIT_MAX:
                raise invalid(name, f"must be a whole number from 1 to {LIMIT_MAX}.")
            return int(text)
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise invalid(name, "must be a whole number.")
            return int(text)
        case "threshold":
            if text in ("true", "false"):
                return text == "true"
            if not (text.isascii() and text.isdigit()) or len(text) > 13:
                raise invalid(name, "must be true, false, or a threshold: a whole number of 0 or more.")
            return int(text)
    if not _NUMBER.fullmatch(text):
        raise invalid(name, "must be a number of at most 4 places, 0 or more.")
    return int(text) if "." not in text else Decimal(text)
