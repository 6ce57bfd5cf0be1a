from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import ContextSecrets, PlainSeal

KEYS = st.sampled_from(
    ["token", "x.token", "to", "ken", 'a"token', "token\\", "tok\u0000en", "tökén", "", "$", "a"]
)
PATTERNS = st.lists(
    st.builds(
        lambda whole, keys: ("" if whole else "**.") + ".".join(keys),
        st.booleans(),
        st.lists(KEYS, min_size=1, max_size=3),
    )
)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.none(), st.text(max_size=3), st.just('token":')),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=8,
    ),
    max_size=3,
)


async def nobody(pipeline_id: int, path: str) -> str | None:
    return None


def standing(value: Any, paths: SecretPaths, path: str = "") -> list[str]:
    """Where a value stands at a covered path, looked for in every place."""
    found = [path] if path and value is not None and paths.cover(path) else []
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    below = isinstance(value, list)
    for key, member in members:
        inner = standing(member, paths, f"{path}.{key}" if path else str(key))
        found += [each for each in inner if not (below and each == f"{path}.{key}")]
    return found


@given(PATTERNS, DATA)
@example(["**.token"], {"x.token": "t"})
@example(['a.a"token'], {"a": {'a"token': "t"}})
def test_wherever_a_secret_stands_the_document_of_its_context_tells(
    patterns: list[str], data: dict[str, Any]
) -> None:
    paths = SecretPaths(patterns)

    if standing(data, paths):
        assert paths.may_stand_in(orjson.dumps(data))


@pytest.mark.parametrize(
    "data", [{"tokens": {"a": "token"}}, {"a": [{"token": None}]}, {"a": {"token": "t"}}]
)
def test_the_document_is_that_of_the_data_without_secrets(data: dict[str, Any]) -> None:
    secrets = ContextSecrets(PlainSeal(), nobody, paths=["**.token"])

    brought = secrets.take_out(data)

    assert orjson.loads(brought.document) == brought.data


def test_data_without_secrets_is_not_copied() -> None:
    data = {"action": {"id": 1}}

    assert ContextSecrets(PlainSeal(), nobody, paths=["**.token"]).take_out(data).data is data
