"""Each operation of the API has a cURL in the documents, and `acceptance/test_docs.py` runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hookengine import __version__
from hookengine.web.document import whole_document
from hookengine.web.openapi import operations
from tests.acceptance.test_docs import of

SERVER = re.compile(r"(http://127\.0\.0\.1:8730|\$API)(?P<path>/[^\s?\"')]*)")
METHOD = re.compile(r"(?:-X|--request) ([A-Z]+)")
COMMAND = re.compile(r"\bcurl (?:[^\n\\']|\\.|\\\n|'[^']*')*")
WITHOUT = {"get_hook_request"}
"""Needs an attempt: nothing is sent from the documents."""


def calls() -> Iterator[tuple[str, str]]:
    """Method in lower case and path of every cURL that is run, with its variables as they stand."""
    for block in of("sh"):
        for command in COMMAND.findall(block.text):
            if place := SERVER.search(command):
                method = METHOD.search(command)
                usual = "post" if "--data" in command else "get"
                yield method[1].lower() if method else usual, place["path"]


def fits(path: str, template: str) -> bool:
    """A step in braces is any step that is a variable, an id or a name."""
    steps, wanted = path.split("/"), template.split("/")
    return len(steps) == len(wanted) and all(
        step == want or want.startswith("{") for step, want in zip(steps, wanted, strict=True)
    )


DOCUMENT = whole_document(__version__)
CALLS = set(calls())


def called() -> Iterator[str]:
    """The operation that a call is, the one that names more of its path before others."""
    for method, path in CALLS:
        candidates = [
            (template.count("{"), operation["operationId"])
            for template, of_method, operation in operations(DOCUMENT)
            if of_method == method and fits(path, template)
        ]
        assert candidates, f"{method} {path} is no operation"
        yield min(candidates)[1]


def test_the_commands_are_found() -> None:
    assert ("post", "/api/events") in CALLS
    assert ("delete", "/api/hooks/$HOOK/signing-secret") in CALLS


def test_every_operation_has_a_curl_that_is_run() -> None:
    names = {operation["operationId"] for _, _, operation in operations(DOCUMENT)}

    assert names - set(called()) == WITHOUT


@pytest.mark.parametrize(
    ("path", "template", "expected"),
    [("/api/hooks/$H", "/api/hooks/{hook_id}", True), ("/api/hooks", "/api/hooks/{hook_id}", False)],
)
def test_a_path_fits_its_template(path: str, template: str, expected: bool) -> None:
    assert fits(path, template) is expected
