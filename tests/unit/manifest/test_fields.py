from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hookengine.manifest.fields import Hosts, Networks, byte_count, is_loopback, milliseconds

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("500ms", 500),
        ("5s", 5000),
        (" 1.5 s ", 1500),
        ("1m", 60_000),
        ("2h", 2 * HOUR),
        ("3d", 72 * HOUR),
        ("7", 7000),
        (7, 7000),
        (0.25, 250),
    ],
)
def test_durations_are_read_with_units_or_as_seconds(text: Any, duration: int) -> None:
    assert milliseconds(text) == duration


@pytest.mark.parametrize(
    "text", ["", "5 weeks", "-1s", "s", "1h30m", True, None, [5], 0, -3, "0s", "99999d", 1e300]
)
def test_other_durations_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        milliseconds(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16KiB", 16384),
        ("1 MiB", 1 << 20),
        ("2gib", 2 << 30),
        ("3kB", 3000),
        ("1MB", 10**6),
        ("512", 512),
        (7, 7),
    ],
)
def test_sizes_are_read_with_units_or_as_bytes(text: Any, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize("text", ["", "1.5MiB", "MiB", "-1", 0, "0KiB", True, 1.5, None])
def test_other_sizes_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="must be a size"):
        byte_count(text)


def test_hosts_and_networks_may_be_one_text_with_commas() -> None:
    assert TypeAdapter(Hosts).validate_python("API.github.com, [::1]:8080") == [
        "api.github.com",
        "[::1]:8080",
    ]
    assert TypeAdapter(Networks).validate_python("10.0.0.0/8,fd00::/8,127.0.0.1") == [
        "10.0.0.0/8",
        "fd00::/8",
        "127.0.0.1/32",
    ]


@pytest.mark.parametrize(
    ("kind", "value"), [(Hosts, "https://a/b"), (Networks, "10.0.0.1/8"), (Networks, "home")]
)
def test_what_is_no_host_or_network_is_refused(kind: Any, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python([value])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("a.b", False),
    ],
)
def test_loopback_is_known(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
