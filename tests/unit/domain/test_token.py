from __future__ import annotations

import pytest

from hookengine.domain.token import ANYBODY, Scope, Token, checked_binding, checked_name, scopes_from
from hookengine.errors import InvalidToken
from tests.conftest import make_pipeline


def token(*scopes: Scope, team: str | None = None, pipeline_id: int | None = None) -> Token:
    return Token(id="1", name="one", scopes=frozenset(scopes), digest="", team=team, pipeline_id=pipeline_id)


@pytest.mark.parametrize(
    ("own", "allowed"),
    [
        (Scope.EMIT, {Scope.EMIT}),
        (Scope.HOOKS_READ, {Scope.HOOKS_READ}),
        (Scope.HOOKS_WRITE, {Scope.HOOKS_READ, Scope.HOOKS_WRITE}),
        (Scope.SECRETS_WRITE, {Scope.SECRETS_WRITE}),
        (Scope.DELIVERIES_READ, {Scope.DELIVERIES_READ}),
        (Scope.DELIVERIES_REPLAY, {Scope.DELIVERIES_READ, Scope.DELIVERIES_REPLAY}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_a_scope_allows_what_it_says_and_what_that_needs(own: Scope, allowed: set[Scope]) -> None:
    assert {scope for scope in Scope if token(own).allows(scope)} == allowed


def test_a_token_without_scopes_allows_nothing() -> None:
    assert not any(token().allows(scope) for scope in Scope)


@pytest.mark.parametrize(
    ("bound", "covered"),
    [
        (token(), {"shop", "till"}),
        (token(team="shop"), {"shop"}),
        (token(team="other"), set()),
        (token(pipeline_id=2), {"till"}),
        (ANYBODY, {"shop", "till"}),
    ],
)
def test_a_token_covers_the_pipelines_it_is_bound_to(bound: Token, covered: set[str]) -> None:
    pipelines = [make_pipeline(id=1, name="shop", team="shop"), make_pipeline(id=2, name="till")]

    assert {pipeline.name for pipeline in pipelines if bound.covers(pipeline)} == covered


def test_a_scope_that_is_none_is_told_with_those_there_are() -> None:
    with pytest.raises(InvalidToken, match="no scope 'write'; the scopes are emit, hooks:read"):
        scopes_from(["emit", "write"])


def test_a_token_needs_a_scope() -> None:
    with pytest.raises(InvalidToken, match="needs a scope"):
        scopes_from([])


def test_scopes_are_read_by_their_names() -> None:
    assert scopes_from(["emit", "hooks:read"]) == {Scope.EMIT, Scope.HOOKS_READ}


@pytest.mark.parametrize(
    ("scopes", "team", "pipeline_id"),
    [
        ({Scope.ADMIN}, "shop", None),
        ({Scope.ADMIN}, None, 1),
        ({Scope.EMIT}, "shop", 1),
        ({Scope.EMIT}, "", None),
        ({Scope.EMIT}, "a\0b", None),
        ({Scope.EMIT}, "x" * 81, None),
        ({Scope.EMIT}, None, 0),
        ({Scope.EMIT}, None, 2**63),
    ],
)
def test_some_bindings_make_no_sense(scopes: set[Scope], team: str | None, pipeline_id: int | None) -> None:
    with pytest.raises(InvalidToken):
        checked_binding(frozenset(scopes), team, pipeline_id)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(InvalidToken):
        checked_name(name)
