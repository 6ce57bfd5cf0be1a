from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from hookengine.errors import ConfigError, StoreError
from hookengine.guard.keys import KeyRing, new_key_file

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


def test_what_is_sealed_opens_again_and_says_nothing() -> None:
    ring = KeyRing([OLD])

    sealed = ring.seal("s3cret", "1|application.token")

    assert ring.open(sealed, "1|application.token") == "s3cret"
    assert "s3cret" not in sealed
    assert base64.b64encode(b"s3cret").decode() not in sealed


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    ring = KeyRing([OLD])

    assert ring.seal("s3cret", "1|token") != ring.seal("s3cret", "1|token")


def test_the_first_key_seals_and_every_key_opens() -> None:
    before = KeyRing([OLD]).seal("s3cret", "1|token")
    ring = KeyRing([NEW, OLD])

    after = ring.seal("s3cret", "1|token")

    assert ring.open(before, "1|token") == KeyRing([NEW]).open(after, "1|token") == "s3cret"


def test_a_sealed_value_does_not_open_in_another_place() -> None:
    ring = KeyRing([OLD])

    with pytest.raises(StoreError, match="another place"):
        ring.open(ring.seal("s3cret", "1|token"), "2|token")


def test_a_key_that_is_gone_is_told() -> None:
    with pytest.raises(StoreError, match="not in the key file"):
        KeyRing([NEW]).open(KeyRing([OLD]).seal("s3cret", "1|token"), "1|token")


@pytest.mark.parametrize("kept", ["s3cret", "s3.cr.et", "v1.s3cret1.", "v1.00000000.!", ""])
def test_a_value_that_was_never_sealed_is_told_without_telling_it(kept: str) -> None:
    with pytest.raises(StoreError) as refused:
        KeyRing([OLD]).open(kept, "1|token")

    assert "cr" not in str(refused.value).replace("secret", "")


def test_a_new_key_file_is_for_its_owner_only_and_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "hookengine.key"

    new_key_file(path)

    ring = KeyRing.read(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ring.open(ring.seal("s3cret", "x"), "x") == "s3cret"
    with pytest.raises(FileExistsError):
        new_key_file(path)


@pytest.mark.parametrize("content", ["", "short", base64.b64encode(b"x" * 31).decode(), "ä" * 44])
def test_a_file_without_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hookengine.key"
    path.write_text(content)

    with pytest.raises(ConfigError, match="32 bytes in base64"):
        KeyRing.read(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hookengine init"):
        KeyRing.read(tmp_path / "nowhere.key")
