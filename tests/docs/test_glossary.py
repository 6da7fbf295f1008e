"""One word for one thing: the names in the code are made of words that the glossary has, or that need no explaining."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from holdfast.settings import Config
from tests.docs.generated import command_names
from tests.docs.pages import DOCS, ROOT
from tests.docs.words import PLAIN, TECHNICAL

GLOSSARY = DOCS / "reference" / "glossary.md"
PACKAGE = ROOT / "src" / "holdfast"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ENDINGS = ("s", "es", "ed", "d", "ing")


def words_of(name: str) -> list[str]:
    """The words of a name: `ReleaseFromQuarantine` and `release_from_quarantine` have the same three."""
    return [word.lower() for word in _WORD.findall(name)]


def names() -> Iterator[str]:
    """Modules, public classes (Structs and commands among them), events, commands of the command line, settings."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "versions" in path.parts:
            continue
        yield path.parent.name if path.stem == "__init__" else path.stem
        tree = ast.parse(path.read_text(encoding="utf-8"))
        yield from (one.name for one in tree.body if isinstance(one, ast.ClassDef) and not one.name.startswith("_"))
    events = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    yield from re.findall(r"^\| `([A-Z]\w+)` \|", events, re.MULTILINE)
    yield from command_names()
    yield from Config.model_fields


def glossary() -> tuple[frozenset[str], frozenset[str]]:
    """The words that the glossary explains (in bold or italics), and those that it says are not used."""
    text = GLOSSARY.read_text(encoding="utf-8")
    explained = {word for term in re.findall(r"\*+([^*\n]+)\*+", text) for word in words_of(term)}
    table = text.partition("| not | but |")[2]
    unused = {word for row in re.findall(r"^\| ([^|-]+) \|", table, re.MULTILINE) for word in words_of(row)}
    return frozenset(explained), frozenset(unused)


def forms_of(word: str) -> set[str]:
    """The word, and the one of which it is the plural or a form of the verb."""
    forms = {word}
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word.removesuffix(ending)
            forms |= {stem, stem + "e", stem[:-1] if stem[-1:] == stem[-2:-1] else stem}
    if word.endswith("ies"):
        forms.add(word[:-3] + "y")
    return forms


def strange(found: Iterable[str]) -> dict[str, list[str]]:
    """The names that have a word which nobody explains, or one that is not used, with these words."""
    explained, unused = glossary()
    known = explained | PLAIN | TECHNICAL
    wrong: dict[str, list[str]] = {}
    for name in found:
        words = [word for word in words_of(name) if word in unused or not forms_of(word) & known]
        if words:
            wrong[name] = words
    return wrong


def test_names_are_made_of_words_of_the_glossary() -> None:
    """If this fails: use the glossary's word, or explain the new one there; `words.py` is for what needs no words."""
    assert strange(names()) == {}


def test_a_planted_name_fails() -> None:
    """A word that nobody explains, and one that the glossary says is not used, are found in any kind of name."""
    assert strange(["StockLedger", "ReleaseFromQuarantine"]) == {}
    assert strange(["ZebraSale"]) == {"ZebraSale": ["zebra"]}
    assert strange(["TenantSettings"]) == {"TenantSettings": ["tenant"]}
    assert strange(["item_variant"]) == {"item_variant": ["item", "variant"]}
    assert strange(["sale_manager", "SaleUtils"]) == {"sale_manager": ["manager"], "SaleUtils": ["utils"]}


def test_a_word_is_in_one_list() -> None:
    """What the glossary explains needs no other list, and what it forbids is in none."""
    explained, unused = glossary()

    assert sorted(PLAIN & TECHNICAL) == []
    assert sorted((PLAIN | TECHNICAL) & (explained | unused)) == []
    assert sorted(explained & unused) == []


def test_no_list_has_a_word_for_nothing() -> None:
    """A word that no name has any more goes out of the lists."""
    used = {form for name in names() for word in words_of(name) for form in forms_of(word)}

    assert sorted((PLAIN | TECHNICAL) - used) == []
