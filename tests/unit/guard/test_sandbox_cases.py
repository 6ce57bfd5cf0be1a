from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from hookengine.domain.request import SecretRef
from hookengine.errors import TemplateError
from hookengine.guard.sandbox import Refusal, Unit, text
from tests.conftest import SLOWER, least_cpu

CASES = json.loads((Path(__file__).parents[2] / "cases" / "template_cases.json").read_text())


def rendered(template: str, context: dict[str, Any]) -> str:
    unit = Unit()
    leaf = unit.leaf("field", template)
    run = unit.compile().run(context)
    return "".join(
        part if isinstance(part, str) else text(run, run.values[part.slot]) for part in leaf.parts_in(run)
    )


def hostile_context() -> dict[str, Any]:
    context = CASES["context"] | {name: eval(code) for name, code in CASES["context_py"].items()}  # noqa: S307
    provider = {
        "name": "github",
        "access_token": SecretRef("context:1:application.source_provider.access_token"),
    }
    return context | {"application": {"name": "shop", "source_provider": provider}}


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: f"{case['id']} {case['wrong']}"[:60])
def test_a_hostile_template_is_refused_at_little_cost(case: dict[str, Any]) -> None:
    template = case["template"] if "template" in case else eval(case["template_py"])  # noqa: S307
    context = hostile_context()

    def refuse() -> pytest.ExceptionInfo[TemplateError | Refusal]:
        with pytest.raises((TemplateError, Refusal)) as refused:
            rendered(template, context)
        return refused

    refused = refuse()

    if isinstance(refused.value, TemplateError):
        assert (refused.value.line > 0, refused.value.column > 0, refused.value.hint != "") == (
            True,
            True,
            True,
        )
    assert least_cpu(refuse, 0.3) < SLOWER * 0.3
    assert "S3CRET" not in str(refused.value)
    assert "0x" not in str(refused.value)


def test_hostile_templates_take_little_memory() -> None:
    context = hostile_context()
    tracemalloc.start()
    try:
        for case in CASES["cases"]:
            with pytest.raises((TemplateError, Refusal)):
                rendered(case["template"] if "template" in case else eval(case["template_py"]), context)  # noqa: S307
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", CASES["legit"], ids=lambda case: case["template"][:60])
def test_a_legitimate_template_gives_exactly_its_text(case: dict[str, Any]) -> None:
    if case["expect"] is None:
        with pytest.raises((TemplateError, Refusal)):
            rendered(case["template"], CASES["legit_context"])
    else:
        assert rendered(case["template"], CASES["legit_context"]) == case["expect"]
