from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hookengine.errors import ConfigError
from hookengine.guard.integration_key import digest_of_key
from hookengine.manifest import Manifest, load, read, with_keys

KEY = "hki_7c1f4e8d9a2b6035c4d8e7f1a9b2"


def manifest(text: str) -> Manifest:
    return read(load(textwrap.dedent(text)))


def one(said: str) -> Manifest:
    return manifest(f"pipelines: [{{id: 1, name: shop-deploy, integration_key: {said}}}]")


def test_a_key_is_read_from_a_variable_and_only_its_digest_is_kept() -> None:
    (pipeline,) = with_keys(one("{env: SHOP_KEY}"), {"SHOP_KEY": KEY}).pipelines

    assert pipeline.integration_key_digest == digest_of_key(KEY)
    assert KEY not in repr(pipeline)
    assert digest_of_key(KEY) not in repr(pipeline)


def test_a_key_is_read_from_a_file_next_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "shop.key").write_text(KEY + "\n")
    file = tmp_path / "config.yaml"
    file.write_text("pipelines: [{id: 1, name: shop-deploy, integration_key: {file: ./shop.key}}]")

    (pipeline,) = with_keys(read(load(file)), {}).pipelines

    assert pipeline.integration_key_digest == digest_of_key(KEY)


def test_a_digest_stands_for_a_key_that_nobody_else_needs_to_know() -> None:
    (pipeline,) = with_keys(one(f"{{digest: {digest_of_key(KEY)}}}"), {}).pipelines

    assert pipeline.integration_key_digest == digest_of_key(KEY)


def test_a_pipeline_without_a_key_lets_nobody_in() -> None:
    (pipeline,) = with_keys(manifest("pipelines: [{id: 1, name: shop-deploy}]"), {}).pipelines

    assert pipeline.integration_key_digest == ""


def test_a_file_can_be_checked_where_its_keys_are_not() -> None:
    assert [pipeline.name for pipeline in one("{env: SHOP_KEY}").pipelines] == ["shop-deploy"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{}", "needs one of `env`, `file` and `digest`"),
        ("{env: A, file: b}", "needs one of `env`, `file` and `digest`"),
        ("{digest: abc}", "must match"),
        ("{env: not a name}", "must match"),
        (KEY, "must be a mapping"),
    ],
)
def test_a_key_says_where_it_comes_from_and_never_what_it_is(said: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        one(said)

    assert message in str(raised.value)
    assert KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "pipeline shop-deploy: integration_key: the environment variable SHOP_KEY is not set"),
        ({"SHOP_KEY": " "}, "pipeline shop-deploy: integration_key is empty"),
        ({"SHOP_KEY": "guessable"}, "pipeline shop-deploy: an integration key has at least 20 characters"),
    ],
)
def test_a_key_that_is_missing_or_weak_is_told_with_its_pipeline(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        with_keys(one("{env: SHOP_KEY}"), environ)

    assert str(raised.value) == message


def test_two_pipelines_cannot_have_one_key() -> None:
    both = manifest(
        """
        pipelines:
          - {id: 1, name: shop-deploy, integration_key: {env: ONE}}
          - {id: 2, name: shop-build, integration_key: {env: TWO}}
        """
    )

    with pytest.raises(ConfigError, match="pipeline shop-build: another pipeline has the same"):
        with_keys(both, {"ONE": KEY, "TWO": KEY})
