"""Run a page's fences as a reader would: one shell and one Python for the whole page, in an empty directory.

    with Session(directory, environment, replaced) as session:
        session.run(fence)       -> what it printed; Failed when it did not end well

`replaced` puts free ports and the addresses of test databases where the page has those of a reader. What the page
starts in the background ends with the session.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import IO, Self

from tests.docs.pages import Fence

SECONDS_MAX = 120
"""Longest that one fence may take."""

_PYTHON = """\
import json, sys, traceback
scope = {"__name__": "__main__"}
for line in sys.stdin:
    text, name, at, mark = json.loads(line)
    code = 0
    try:
        exec(compile("\\n" * at + text, name, "exec"), scope)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        code = 1
    print(f"{mark} {code}", flush=True)
"""


class Failed(AssertionError):
    """A fence did not do what its page says."""


class Session:
    """The shell and the Python of one page."""

    def __init__(self, directory: Path, environment: Mapping[str, str], replaced: Mapping[str, str]) -> None:
        self._directory = directory
        self._replaced = replaced
        self._count = 0
        self._python: _Program | None = None
        self._shell = _Program(["bash", "--noprofile", "--norc"], directory, environment)
        self._shell.send("set -o pipefail\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._python is not None:
            self._python.end()
        self._shell.end()

    def run(self, fence: Fence, page: str) -> str:
        """Run one fence; what it printed."""
        text = fence.text
        for old, new in self._replaced.items():
            text = text.replace(old, new)
        self._count += 1
        mark = f"@@{self._count}@@"
        run = self._run_python if fence.language == "python" else self._run_bash
        printed, code = run(text, page, fence.line, mark)
        if code != 0:
            raise Failed(f"{page}:{fence.line} ended with {code}:\n{text}\n--- printed ---\n{printed}")
        for new, old in ((new, old) for old, new in self._replaced.items()):
            printed = printed.replace(new, old)
        return printed

    def _run_bash(self, text: str, _page: str, _line: int, mark: str) -> tuple[str, int]:
        # A reader pastes the whole block: all of it runs, and every command of it must end well.
        self._shell.send("trap 'code=$?; [ -n \"$bad\" ] || bad=$code' ERR; bad=\n")
        self._shell.send(f"{{\n{text}\n}} < /dev/null\ntrap - ERR\n")
        self._shell.send(f'printf "\\n{mark} %s\\n" "${{bad:-0}}"\n')
        return self._shell.until(mark)

    def _run_python(self, text: str, page: str, line: int, mark: str) -> tuple[str, int]:
        import json

        if self._python is None:
            self._shell.send("env -0 > .environment; printf '\\n@@env@@ 0\\n'\n")
            self._shell.until("@@env@@")
            pairs = (self._directory / ".environment").read_text().split("\0")
            environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
            self._python = _Program([sys.executable, "-u", "-c", _PYTHON], self._directory, environment)
        self._python.send(json.dumps([text, page, line, mark]) + "\n")
        return self._python.until(mark)


class _Program:
    """A program that is told what to do on its input and says on its output when it is done."""

    def __init__(self, command: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: Queue[str | None] = Queue()
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()

    def send(self, text: str) -> None:
        """Tell it something."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def until(self, mark: str) -> tuple[str, int]:
        """What it prints until it says that it is done, and the code that it says."""
        printed: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=SECONDS_MAX)
            except Empty:
                raise Failed(f"Nothing for {SECONDS_MAX} s after:\n{''.join(printed)}") from None
            if line is None:
                raise Failed(f"It ended after:\n{''.join(printed)}")
            if line.startswith(mark):
                return "".join(printed), int(line.split()[1])
            printed.append(line)

    def end(self) -> None:
        """End it and all that it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                continue
            if number is signal.SIGTERM and not _group_is_there(self._process.pid):
                break
        self._process.wait(5)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def _group_is_there(group: int) -> bool:
    import time

    for _ in range(50):
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
        time.sleep(0.1)
    return True


def _read(stream: IO[str] | None, lines: Queue[str | None]) -> None:
    assert stream is not None
    try:
        for line in stream:
            lines.put(line)
    except ValueError:  # closed while we read
        pass
    lines.put(None)


def matches(expected: str, printed: str) -> bool:
    """Is what was printed what the page shows? White space counts as one blank, `...` stands for any text."""
    parts = [re.escape(" ".join(part.split())).replace(r"\ ", r"\s*") for part in expected.split("...")]
    return re.fullmatch(r"\s*" + r".*?".join(parts) + r"\s*", printed, re.DOTALL) is not None
