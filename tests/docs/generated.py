"""The parts of the documentation that the code already knows: written here, and tested to be what they would be now.

    .venv/bin/python -m tests.docs.generated        -> writes them anew into docs/

A page holds such a part between `<!-- generated: NAME -->` and `<!-- end -->`; everything around it is written by
hand. The names are those of `PARTS`.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterator
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
import typer
from typer.testing import CliRunner

from holdfast.cli import app
from holdfast.core.records.permission import FROM, Permission, Role
from holdfast.core.records.rejection import Code
from holdfast.settings import Config, allowed, variable
from holdfast.web.api import ROUTES
from holdfast.web.docs.openapi import COMMON, WRITE
from holdfast.web.http.problems import EXPLAINED, STATUS
from holdfast.web.http.route import Route
from holdfast.web.http.strict_json import Nothing, Quantity
from tests.docs.pages import DOCS, pages

_PART = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
WIDTH = 90


# Commands ------------------------------------------------------------------------------------------------------------


def command_names() -> list[str]:
    """Every command of the command line, subcommands with their group: `serve`, `org create` ..."""
    return [name for name, _ in _commands(typer.main.get_command(app), ())]


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(path), command
        return
    for name in below:
        yield from _commands(below[name], (*path, name))


def commands() -> str:
    """What `--help` says of every command."""
    parts = []
    runner = CliRunner()
    for name in command_names():
        result = runner.invoke(
            app, [*name.split(), "--help"], prog_name="holdfast", terminal_width=WIDTH, max_content_width=WIDTH
        )
        assert result.exit_code == 0, result.output
        parts.append(f"## {name}\n\n```text\n{result.output.strip()}\n```\n")
    return "\n".join(parts)


# Settings ------------------------------------------------------------------------------------------------------------


def settings() -> str:
    """Every setting of a process."""
    rows = ["| variable | default | may be | what it does |", "|---|---|---|---|"]
    for name, field in Config.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        may = "a database's address" if name == "database_url" else allowed(name)
        rows.append(f"| `{variable(name)}` | `{default}` | {may} | {field.description} |")
    return "\n".join(rows) + "\n"


# Errors --------------------------------------------------------------------------------------------------------------


def errors() -> str:
    """Every code with its status and meaning."""
    rows = ["| code | status | meaning |", "|---|---|---|"]
    for code, status in sorted(STATUS.items(), key=lambda pair: pair[1]):
        rows.append(f"| `{code}` | {status} | {EXPLAINED[code]} |")
    return "\n".join(rows) + "\n"


def precedence() -> str:
    """The codes of the core in the order in which they are tested."""
    return "\n".join(f"{number}. `{code}`" for number, code in enumerate(Code, 1)) + "\n"


# Permissions ---------------------------------------------------------------------------------------------------------


def permissions() -> str:
    """The least role for each permission."""
    rows = ["| permission | " + " | ".join(Role) + " |", "|---|" + "---|" * len(Role)]
    order = list(Role)
    for permission in Permission:
        least = order.index(FROM[permission])
        marks = ["yes" if order.index(role) >= least else "" for role in order]
        rows.append(f"| `{permission}` | " + " | ".join(marks) + " |")
    return "\n".join(rows) + "\n"


# Routes --------------------------------------------------------------------------------------------------------------


def routes() -> str:
    """Every route with its body, answer and codes."""
    parts = []
    for tag in dict.fromkeys(route.tag for route in ROUTES):
        parts.append(f"## {tag}\n")
        parts += [_route(route) for route in ROUTES if route.tag == tag]
    return "\n".join(parts)


def _route(route: Route) -> str:
    lines = [f"### {route.method} {route.path}", "", f"{route.summary}."]
    if route.about:
        lines.append(route.about)
    needs = "no permission" if route.permission is None else f"`{route.permission}`"
    least = "" if route.permission is None else f" ({FROM[route.permission]} or above)"
    session = ", and an open register session" if route.till else ""
    facts = [f"- Needs {needs}{least}{session}."]
    if route.parameters:
        facts.append("- Query: " + ", ".join(_query(one) for one in route.parameters) + ".")
    if route.writes and route.body is not Nothing:
        facts.append(f"- Body: {_fields(route.body)}.")
    if route.example is not None and route.writes:
        facts.append(f"- Example: `{msgspec.json.encode(route.example).decode()}`")
    facts.append(f"- Answers {route.status}{_answer(route.answer)}.")
    codes = [code for code in dict.fromkeys(map(str, route.codes)) if code not in COMMON]
    if codes:
        facts.append("- Codes: " + ", ".join(f"`{code}`" for code in codes) + ".")
    return "\n".join([*lines, "", *facts, ""])


def _query(query: Any) -> str:
    kind = " or ".join(f"`{choice}`" for choice in query.choices) if query.choices else query.shown
    return f"`{query.name}` ({kind}{', required' if query.required else ''})"


def _answer(answer: Any) -> str:
    if answer is None:
        return " without a body"
    if isinstance(answer, tuple):
        return " with " + ", or ".join(_shape(one) for one in answer)
    if isinstance(answer, list):
        return f" with a page of {_shape(answer[0])}"
    return f" with {_shape(answer)}"


def _shape(kind: Any) -> str:
    if get_origin(kind) is list:
        return f"an array of {_shape(get_args(kind)[0])}"
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def shapes() -> str:
    """What the routes answer, each shape once, with those inside it."""
    found: dict[str, type[Any]] = {}
    for route in ROUTES:
        for kind in route.answer if isinstance(route.answer, tuple | list) else [route.answer]:
            _collect(kind, found)
    parts = []
    for name in sorted(found):
        about = (found[name].__doc__ or "").strip()
        parts.append(f"### {name}\n\n{about}\n\n{_fields(found[name], answered=True)}.\n")
    return "\n".join(parts)


def _collect(kind: Any, found: dict[str, type[Any]]) -> None:
    for one in get_args(kind):
        _collect(one, found)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ not in found:
        found[kind.__name__] = kind
        for field in msgspec.structs.fields(kind):
            _collect(field.type, found)


def _fields(body: type[Any], *, answered: bool = False) -> str:
    return ", ".join(
        f"`{field.encode_name}` ({_type(field.type)}{', required' if field.required and not answered else ''})"
        for field in msgspec.structs.fields(body)
    )


def _type(kind: Any) -> str:
    """A field's type in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        return _type(kind.__origin__)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(_type(one) for one in arguments if one is not msgspec.UnsetType))
        if "number" in words and "whole number" in words:
            words.remove("whole number")
        structs = [one for one in arguments if isinstance(one, type) and issubclass(one, msgspec.Struct)]
        if len(structs) > 1:
            return "one of " + "; ".join(f"`{_tag(one)}` {{{_fields(one)}}}" for one in structs)
        return " or ".join(word for word in words if word != "null") + (" or null" if "null" in words else "")
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return f"array of {_type(arguments[0])}"
    if kind is Permission:
        return "a [permission](#permissions)"
    if origin is dict:
        return f"object of {_type(arguments[1])} by {_type(arguments[0])}"
    if kind is Quantity:
        return "number"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__.endswith(("Document", "Result")):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"{{{_fields(kind)}}}"
    return _PLAIN.get(kind, "anything")


_PLAIN: dict[Any, str] = {
    str: "text",
    bool: "boolean",
    int: "whole number",
    float: "number",
    int | float: "number",
    dict: "object",
    type(None): "null",
}


def _tag(kind: Any) -> str:
    config = kind.__struct_config__
    return f"{config.tag_field}: {config.tag}"


def common_codes() -> str:
    """The codes that every route has."""
    return (
        "Every route: " + ", ".join(f"`{code}`" for code in COMMON) + ".\n"
        "Every write besides: " + ", ".join(f"`{code}`" for code in WRITE) + ".\n"
    )


# Decisions -----------------------------------------------------------------------------------------------------------


def decisions() -> str:
    """The decisions, a line each."""
    lines = []
    for page in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        title = page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        lines.append(f"- [{title}]({page.name})")
    return "\n".join(lines) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "errors": errors,
    "precedence": precedence,
    "permissions": permissions,
    "routes": routes,
    "shapes": shapes,
    "common_codes": common_codes,
    "decisions": decisions,
}
"""What can be generated, by the name that a page gives."""


def with_parts(text: str) -> str:
    """A page with every generated part as it would be now."""
    return _PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]()}\n{match[4]}", text)


def main() -> None:
    """Write the generated parts anew."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = with_parts(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(page)


if __name__ == "__main__":
    main()
