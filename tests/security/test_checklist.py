"""Every step of docs/how-to/secure.md is walked: by the test that runs the page, or by tests that the step names."""

from __future__ import annotations

import re
from itertools import pairwise

from tests.docs.pages import DOCS, ROOT, fences
from tests.docs.test_examples import RUN, SHOWN
from tests.security.test_asvs import exists

PAGE = DOCS / "how-to" / "secure.md"
_STEP = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
_WALKED = re.compile(r"^<!-- walked by (\S+) -->$", re.MULTILINE)


def steps() -> dict[str, str]:
    """The text of each step by its title."""
    parts = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {match[2]: part for part in parts if (match := _STEP.match(part))}


def test_steps_are_numbered() -> None:
    """1, 2, 3 ..., since other pages name them by their number."""
    numbers = [int(match[1]) for match in _STEP.finditer(PAGE.read_text(encoding="utf-8"))]

    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 10


def test_every_step_is_walked() -> None:
    """A step has a command that is run and shows what it prints, or names tests that are there."""
    idle = [title for title, text in steps().items() if not _is_run(text) and not _WALKED.findall(text)]
    missing = [name for text in steps().values() for name in _WALKED.findall(text) if not exists(name)]

    assert (idle, missing) == ([], [])


def test_every_command_shows_what_follows() -> None:
    """No command of a step is run without its result."""
    alone = []
    for title, text in steps().items():
        parts = [*fences(text), None]
        for one, two in pairwise(parts):
            if one is not None and one.language in RUN and (two is None or two.language not in SHOWN):
                alone.append(title)

    assert alone == []


def _is_run(text: str) -> bool:
    return any(one.language in RUN for one in fences(text))


# What SECURITY.md says -----------------------------------------------------------------------------------------------


def test_what_security_names_is_there() -> None:
    """The modules of its table of cryptography are there, and it invents no address to write to."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

    assert [name for name in re.findall(r"`([\w/]+\.py)`", text) if not exists(name)] == []
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", text)


def test_security_names_every_use_of_cryptography() -> None:
    """A module that hashes, signs or makes secrets is in the table."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "holdfast"
    used = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"^(?:import|from) (?:hashlib|hmac|secrets|pwdlib|pyotp|ssl)\b", path.read_text(), re.MULTILINE)
    }
    named = set(re.findall(r"`([\w/]+\.py)`", text))

    assert sorted(used - named) == []
