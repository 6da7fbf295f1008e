"""`python -m holdfast` is the command line (holdfast.cli): for where its folder is not on the path of the shell."""

from __future__ import annotations

from holdfast.cli import main

main()
