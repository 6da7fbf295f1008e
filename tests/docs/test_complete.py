"""Nothing is left out: settings, commands, codes, routes and events are documented, and every link leads somewhere."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from holdfast.core.records.rejection import Code
from holdfast.metrics import REGISTRY
from holdfast.settings import Config, variable
from holdfast.web.api import ROUTES
from holdfast.web.http import metrics as _registers_metrics  # noqa: F401 - importing it is what it is for
from holdfast.web.http.problems import STATUS
from tests.docs.generated import command_names, with_parts
from tests.docs.pages import DOCS, ROOT, anchors, links, name_of, pages

REFERENCE = DOCS / "reference"


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_generated_parts_are_what_the_code_says_now(page: Path) -> None:
    """If this fails: `.venv/bin/python -m tests.docs.generated`."""
    text = page.read_text(encoding="utf-8")

    assert with_parts(text) == text


def test_every_setting_is_documented() -> None:
    """A setting is a row of settings.md."""
    text = (REFERENCE / "settings.md").read_text(encoding="utf-8")

    assert [name for name in Config.model_fields if f"| `{variable(name)}` |" not in text] == []


def test_every_command_is_documented() -> None:
    """A command is a heading of commands.md."""
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8")

    assert [name for name in command_names() if f"\n## {name}\n" not in text] == []


def test_every_code_is_documented() -> None:
    """A code is a row of errors.md, with its status."""
    text = (REFERENCE / "errors.md").read_text(encoding="utf-8")

    assert [code for code in {*STATUS, *map(str, Code)} if f"| `{code}` | {STATUS[code]} |" not in text] == []


def test_every_route_is_documented() -> None:
    """A route is a heading of api.md."""
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")

    assert [route.name for route in ROUTES if f"\n### {route.method} {route.path}\n" not in text] == []


def test_every_event_is_documented() -> None:
    """What the core tells is a row of events.md, and every row is something that it tells."""
    told = set()
    for module in (ROOT / "src" / "holdfast" / "core").rglob("*.py"):
        source = module.read_text(encoding="utf-8")
        told.update(re.findall(r'tell\(\s*"(\w+)"', source))
        told.update(re.findall(r'tell_hold\(\s*stock, "(\w+)"', source))
        told.update(re.findall(r'"(Reservation(?:Expired|Released))"', source))
    rows = set(re.findall(r"^\| `([A-Z]\w+)` \|", (REFERENCE / "events.md").read_text(encoding="utf-8"), re.MULTILINE))

    assert rows == told


def test_every_metric_is_documented() -> None:
    """What `/metrics` shows is a row of operate.md."""
    text = (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8")
    for module in (
        "holdfast.web.http.metrics",
        "holdfast.web.http.protocol",
    ):  # whatever other tests of this process import
        import_module(module)
    names = {metric.name + ("_total" if metric.type == "counter" else "") for metric in REGISTRY.collect()}
    shown = set(re.findall(r"^\| `(holdfast_\w+)` \|", text, re.MULTILINE))

    assert shown == names


def modules() -> set[str]:
    """What the package has at its root, as the pages write it: `app.py`, `core/`."""
    package = ROOT / "src" / "holdfast"
    folders = {f"{init.parent.name}/" for init in package.glob("*/__init__.py")}
    return folders | {module.name for module in package.glob("[a-z]*.py")}


def unlike_the_tree(page: str, tree: set[str]) -> set[str]:
    """Modules that only one of the two has: the table of the architecture page, or the source tree."""
    rows = page.partition("| folder | what it is |\n")[2].partition("\n\n")[0].splitlines()
    named = {name for row in rows for name in re.findall(r"`(\w+(?:\.py|/))`", row.split("|")[1])}
    return named ^ tree


def test_the_architecture_page_names_every_module() -> None:
    """A module at the root of the package is a row of the table, and has a place among those who import."""
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    order = re.findall(r"\w+", page.partition("## Who may import whom")[2].split("```")[1].removeprefix("text"))

    assert unlike_the_tree(page, modules()) == set()
    assert set(order) == {name.removesuffix(".py").removesuffix("/") for name in modules()}
    assert unlike_the_tree(page, {*modules(), "planted.py"}) == {"planted.py"}
    assert unlike_the_tree(page, modules() - {"pins.py"}) == {"pins.py"}


def test_every_dev_command_exists() -> None:
    """`python3 dev.py X` on a page is a command of dev.py."""
    known = set(re.findall(r'"(\w+)": \1\b', (ROOT / "dev.py").read_text(encoding="utf-8")))
    named = {name for page in pages() for name in re.findall(r"dev\.py (\w+)", page.read_text(encoding="utf-8"))}

    assert {"demo", "test"} <= named <= known


def test_every_link_leads_somewhere() -> None:
    """A link inside the checkout names a file that is there, and a heading of it."""
    broken = [
        f"{name_of(page)}: {link.target}"
        for page in pages()
        for link in links(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", link.target) and not _leads_somewhere(page, link.target)
    ]

    assert broken == []


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or ROOT not in target.parents:
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors(target.read_text(encoding="utf-8"))


def test_every_page_is_linked() -> None:
    """Whoever begins at the README finds every page."""
    found: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        found.add(page)
        for link in links(page.read_text(encoding="utf-8")):
            target = (page.parent / link.target.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in found:
                ahead.append(target)

    assert sorted(name_of(page) for page in set(pages()) - found) == []


def test_no_page_mentions_a_machine() -> None:
    """No path of somebody's machine; no address but examples."""
    wrong = []
    for page in pages():
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"(?<![\w.])/(?:work|tmp|home|root|Users|mnt)/", line):
                wrong.append(f"{name_of(page)}:{number}: {line.strip()[:100]}")

    assert wrong == []
