"""What the API shows of a definition is all of it: FastAPI leaves out what a view does not name."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter

from hookengine.domain.definition import Note
from hookengine.manifest.documents import incoming_document
from hookengine.web.api import hooks, views
from tests.unit.manifest.test_documents import CHECKS, HOOKS

NOTE = Note(managed_by="api", because="", created_at=1, updated_at=2)
INCOMING = {
    "id": "an-incoming-hook",
    "name": "pushes",
    "secret": "host",
    "signature_header": "X-Signature",
    "variables": [{"name": "a", "path": "b.c", "type": "integer", "default_value": 7}],
    "trigger_when": {"conditions": [{"path": "ref", "accepted_values": [1, None]}]},
}


def as_answered(view: Any, value: Any) -> Any:
    adapter = TypeAdapter(view)
    return adapter.dump_python(adapter.validate_python(value), mode="json")


@given(document=HOOKS, pipeline_id=some.sampled_from([None, 3]))
def test_nothing_of_a_hook_is_left_out(document: dict[str, Any], pipeline_id: int | None) -> None:
    shown = hooks.shown(CHECKS.hook(document, pipeline_id), NOTE)

    assert as_answered(views.Hook, shown) == shown


def test_nothing_of_a_preset_or_an_incoming_hook_is_left_out() -> None:
    filled = {"preset": "github/commit-status", "with": {"repository": "acme/shop"}}
    hook = CHECKS.hook({"name": "status", **filled, "responses": [{"status": 422, "then": "permanent"}]}, 3)
    incoming = incoming_document(CHECKS.incoming_hook(INCOMING, 3))

    shown = hooks.shown(hook, NOTE)
    around = {"pipeline": 3, "requires_secret": True, "url": "/", "managed_by": "api"}
    whole = {**incoming, **around, "created_at": None, "updated_at": None}

    assert as_answered(views.Hook, shown) == shown
    assert as_answered(views.IncomingHook, whole) == whole
