"""Every command and every example of the README, the tutorial and the how-to pages does what its page says."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.docs.pages import DOCS, ROOT, Fence, fences, name_of, pages
from tests.docs.session import Failed, Session, matches
from tests.postgres import find_binaries

RUN = ("bash", "python")
SHOWN = ("text", "json")
PORT = "8000"
"""The port that the pages use; each test takes a free one instead."""

POSTGRESQL = "postgresql://holdfast:secret@localhost/holdfast"
"""The database that the pages use where it has to be PostgreSQL; each test takes one of its own instead."""

APPLICATION = "postgresql://holdfast_app:secret@localhost/holdfast"
"""The same database, for the role that serves."""

RESTORED = "postgresql://holdfast:secret@localhost/restored"
"""A second one, empty."""

EXECUTED = [page for page in pages() if any(one.language in RUN for one in fences(page.read_text(encoding="utf-8")))]

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not all(shutil.which(name) for name in ("bash", "curl")), reason="the pages need bash and curl"
)


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_page_runs_as_it_is_written(page: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """All its fences in order, in one directory, with what they print."""
    text = page.read_text(encoding="utf-8")
    parts = fences(text)
    run = [part for part in parts if part.language in RUN]
    environment = _environment(tmp_path)
    port = _free_port()
    replaced = {f":{PORT}": f":{port}", f"--port {PORT}": f"--port {port}"}
    if POSTGRESQL in text:
        server: Any = request.getfixturevalue("postgres_server")
        names = [server.create_database(), server.create_database()]
        request.addfinalizer(lambda: [server.drop_database(name) for name in names])
        replaced |= {POSTGRESQL: server.url(names[0]), RESTORED: server.url(names[1])}
        if APPLICATION in text:
            server.create_role("holdfast_app", "secret")
            served = make_url(server.url(names[0])).set(username="holdfast_app", password="secret")
            replaced[APPLICATION] = served.render_as_string(hide_password=False)
        environment["PATH"] = f"{find_binaries()}{os.pathsep}{environment['PATH']}"
    expected = dict(_shown(parts))
    with Session(tmp_path, environment, replaced) as session:
        for fence in run:
            printed = session.run(fence, name_of(page))
            wanted = expected.get(fence)
            if wanted is not None and not matches(wanted.text, printed):
                raise Failed(
                    f"{name_of(page)}:{fence.line} printed\n{printed}\n--- where the page shows ---\n{wanted.text}"
                )


def test_the_pages_that_promise_it_are_run() -> None:
    """README, tutorial and every how-to page have examples."""
    promised = {ROOT / "README.md", DOCS / "tutorial.md", *(DOCS / "how-to").glob("*.md")}

    assert promised <= set(EXECUTED)


def _shown(parts: list[Fence]) -> list[tuple[Fence, Fence]]:
    """Each fence that runs with the one right after it that shows what it prints."""
    return [(one, two) for one, two in pairwise(parts) if one.language in RUN and two.language in SHOWN]


def _environment(directory: Path) -> dict[str, str]:
    """A reader's environment: our programs first, none of our settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PG"))}
    programs = Path(sys.executable).parent
    return {
        **own,
        "PATH": f"{programs}{os.pathsep}{own['PATH']}",
        "HOME": str(directory),
        "PYTHONPATH": "",
        "no_proxy": "*",
        "NO_PROXY": "*",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
