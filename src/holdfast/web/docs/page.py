"""The documentation page at /docs, made from the OpenAPI document; it loads nothing from anywhere else."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jinja2

from holdfast.web.docs.openapi import openapi_document
from holdfast.web.http.problems import EXPLAINED, STATUS

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_TEMPLATES = files("holdfast.web") / "templates"
_METHODS = ("get", "post", "put", "patch", "delete")


@lru_cache(maxsize=1)
def docs_page() -> bytes:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(_TEMPLATES)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    document = openapi_document()
    page = environment.get_template("docs.html").render(
        info=document["info"],
        paragraphs=[part.replace("\n", " ") for part in document["info"]["description"].strip().split("\n\n")],
        groups=_groups(document),
        codes=[(code, status, EXPLAINED[code]) for code, status in STATUS.items()],
    )
    return page.encode()


def _groups(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations by tag, in the order of the route table."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                groups.setdefault(operation["tags"][0], []).append(_shown(document, path, method, operation))
    return [{"name": name, "anchor": name.lower().replace(" ", "-"), "operations": ops} for name, ops in groups.items()]


def _shown(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = content.get("example")
    answers = [(status, response) for status, response in operation["responses"].items() if status < "400"]
    success, response = answers[0]
    contents = list(response.get("content", {}).values())
    answer = contents[0].get("schema", {}) if contents else {}
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "about": operation.get("description", ""),
        "parameters": [one for one in operation.get("parameters", ()) if one["in"] in ("path", "query")],
        "fields": _fields(document, content.get("schema", {})),
        "example": None if example is None else json.dumps(example, indent=2),
        "success": success,
        "answer": _fields(document, answer),
        "codes": [
            code
            for status, failure in operation["responses"].items()
            if status >= "400"
            for code in STATUS
            if f"`{code}`:" in failure.get("description", "") and code != "INTERNAL_ERROR"
        ],
    }


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The members of an object (or of the first of several kinds), one level deep."""
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        schema = _resolved(document, schema["anyOf"][0])
    if schema.get("type") == "array":
        schema = _resolved(document, schema["items"])
    required = schema.get("required", ())
    return [
        {"name": name, "kind": _kind(document, one), "required": name in required}
        for name, one in schema.get("properties", {}).items()
    ]


def _kind(document: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name: str = schema["$ref"].rsplit("/", 1)[1]
        return name
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(document, one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
