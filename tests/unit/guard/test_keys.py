from __future__ import annotations

import base64
import os
import stat
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

from hookengine.errors import ConfigError, StoreError
from hookengine.guard.key_file import new_key_file, open_ring, read_keys, replace_keys
from hookengine.guard.keys import KeyRing, id_of, key_of

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

    ring = open_ring(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ring.open(ring.seal("s3cret", "x"), "x") == "s3cret"
    with pytest.raises(FileExistsError):
        new_key_file(path)


@pytest.mark.parametrize("content", ["", "short", base64.b64encode(b"x" * 31).decode(), "ä" * 44])
def test_a_file_without_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hookengine.key"
    path.touch(0o600)
    path.write_text(content)

    with pytest.raises(ConfigError, match="32 bytes in base64"):
        read_keys(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hookengine init"):
        read_keys(tmp_path / "nowhere.key")


def test_a_key_file_that_others_may_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "hookengine.key"
    new_key_file(path)
    for mode in (0o640, 0o604, 0o660, 0o666):
        path.chmod(mode)

        with pytest.raises(ConfigError, match=rf"chmod 600 {path}"):
            open_ring(path)

    path.chmod(0o400)
    assert open_ring(path)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [("os", "name", "nt"), ("os", "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))],
)
def test_where_modes_mean_nothing_or_cannot_be_changed_they_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, value: object
) -> None:
    path = tmp_path / "hookengine.key"
    new_key_file(path)
    path.chmod(0o644)
    with monkeypatch.context() as patched:
        patched.setattr(f"hookengine.guard.key_file.{module}", Patched(**{name: value}))

        keys = read_keys(path)

    assert len(keys) == 1


class Patched:
    """`os`, but for what is said."""

    def __init__(self, **changes: object) -> None:
        self.__dict__.update(changes)

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)


def test_a_ring_seals_with_the_key_that_was_put_first_and_opens_what_others_seal_with_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "hookengine.key"
    new_key_file(path)
    ring, asleep = open_ring(path), open_ring(path)
    before = ring.seal("s3cret", "x")

    replace_keys(path, [NEW, *read_keys(path)])
    after = ring.seal("s3cret", "x")

    assert key_of(before) != key_of(after) == id_of(NEW)
    assert asleep.open(after, "x") == ring.open(before, "x") == "s3cret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["hookengine.key"]


def test_a_ring_forgets_no_key_and_survives_a_file_that_is_gone_or_spoilt(tmp_path: Path) -> None:
    path = tmp_path / "hookengine.key"
    new_key_file(path)
    ring = open_ring(path)
    before = ring.seal("s3cret", "x")

    replace_keys(path, [NEW])
    after = ring.seal("s3cret", "x")
    for spoil in (lambda: path.write_text("spoilt"), path.unlink):
        spoil()

        assert ring.open(before, "x") == ring.open(after, "x") == "s3cret"
        assert key_of(ring.seal("s3cret", "x")) == id_of(NEW)


def test_what_is_left_of_a_replacement_that_was_cut_off_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "hookengine.key"
    new_key_file(path)
    (tmp_path / ".hookengine.key.new").write_text("half a k")

    replace_keys(path, [NEW])

    assert read_keys(path) == [NEW]


def test_a_ring_tells_nothing_of_its_keys() -> None:
    assert repr(KeyRing([OLD, NEW])) == f"<KeyRing of 2, first {id_of(OLD)}>"


@pytest.mark.parametrize("content", ["c2VjcmV0", "s3cret-in-the-file ä"])
def test_what_a_key_file_holds_is_in_no_traceback(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hookengine.key"
    path.touch(0o600)
    path.write_text(content)

    with pytest.raises(ConfigError) as refused:
        read_keys(path)

    assert content not in "".join(traceback.format_exception(refused.value))


def test_a_key_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "hookengine.key").mkdir(mode=0o700)

    with pytest.raises(ConfigError, match=r"hookengine\.key: the key file cannot be read: Is a directory"):
        read_keys(tmp_path / "hookengine.key")
