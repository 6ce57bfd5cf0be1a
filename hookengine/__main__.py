"""`python -m hookengine` is the command line."""

from __future__ import annotations

from hookengine.cli.main import main

main(prog_name="hookengine")
