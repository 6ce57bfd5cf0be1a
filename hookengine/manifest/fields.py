"""Durations, sizes, hosts and networks as people write them: `5s`, `3d`, `256KiB`, `10.0.0.0/8`."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from hookengine.domain.clock import Millis
from hookengine.guard.hostname import Refused
from hookengine.guard.url import host_of

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)\s*(ms|s|m|h|d)?")
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_LONGEST = 3660 * _UNITS["d"]

_SIZE = re.compile(r"([0-9]{1,12})\s*(B|KB|MB|GB|KIB|MIB|GIB)?", re.IGNORECASE)
_SIZES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}

_SQLITE = "sqlite:///"
_POSTGRES = "postgresql://user:password@host:5432/name"
_PLACE = r"([A-Za-z0-9_.%-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
_WHO_AND_WHERE = re.compile(rf"([^/?#@]*@)?({_PLACE}(,{_PLACE})*)?")  # no place: a socket, or as $PGHOST says
_PROXY = re.compile(r"http://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})/?")
_PUBLIC = re.compile(r"https?://([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")
_SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_HOST = re.compile(r"[A-Za-z0-9_.:*\[\]-]{1,255}")


def milliseconds(value: Any) -> Millis:
    """A bare number counts seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        number, unit = float(value), "s"
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        number, unit = float(match[1]), match[2] or "s"
    else:
        raise ValueError("must be a duration such as 500ms, 5s, 15m, 2h or 3d, or a number of seconds")
    duration = round(number * _UNITS[unit])
    if not 0 < duration <= _LONGEST:
        raise ValueError("must be a duration of more than nothing and at most ten years")
    return duration


def byte_count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())) and int(match[1]) > 0:
        return int(match[1]) * _SIZES[(match[2] or "B").upper()]
    raise ValueError("must be a size such as 16KiB or 1MiB, or a number of bytes")


def _schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], "examples": [example]})


Duration = Annotated[Millis, PlainValidator(milliseconds), _schema("15m")]
Size = Annotated[int, PlainValidator(byte_count), _schema("256KiB")]


def _listed(value: Any) -> Any:
    """In an environment variable a list is written with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError("a host is a bare name such as api.github.com, without https:// and path")
    return name.lower()


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("a network is written such as 10.0.0.0/8 or fd00::/8") from None


def _database(url: str) -> str:
    """Says nothing of the URL itself, which may hold a password."""
    if url.startswith(_SQLITE):
        return url
    scheme, _, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"}:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    address, _, query = rest.partition("?")
    who_and_where, _, name = address.partition("/")
    if not _WHO_AND_WHERE.fullmatch(who_and_where) or "/" in name or re.search("[@#]", name + query):
        raise ValueError(
            f"must be such as {_POSTGRES}; a password's @ is written %40, : %3A, / %2F, ? %3F, # %23"
        )
    if not name:
        raise ValueError(f"names no database; must be such as {_POSTGRES}")
    if not set(re.findall(r"(?:^|&)sslmode=([^&]*)", query)) <= _SSL_MODES:
        raise ValueError(f"sslmode must be one of {', '.join(sorted(_SSL_MODES))}")
    return f"postgresql://{rest}"


def _proxy(url: str) -> str:
    """Says nothing of the URL itself, which may hold a password."""
    found = _PROXY.fullmatch(url)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError("must be such as http://proxy.acme.io:3128, without user, password and path")
    try:
        host = host_of(found[1].removeprefix("[").removesuffix("]"))
    except Refused:
        raise ValueError("names no host") from None
    return f"http://{f'[{host}]' if isinstance(host, IPv6Address) else host}:{int(found[2])}"


def _public(url: str) -> str:
    if url and not _PUBLIC.fullmatch(url):
        raise ValueError("must be such as https://hooks.acme.io, perhaps with a path, without a query")
    return url.rstrip("/")


Texts = Annotated[list[str], BeforeValidator(_listed)]
Host = Annotated[str, AfterValidator(_host)]
Hosts = Annotated[list[Host], BeforeValidator(_listed)]
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(_listed)]

PublicUrl = Annotated[str, AfterValidator(_public)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]


def database_inside(folder: Path, url: str) -> str:
    """With the path of a SQLite file counted from `folder`."""
    scheme, separator, path = url.partition(_SQLITE)
    if scheme or not separator or path.startswith(":memory:"):
        return url
    return f"{_SQLITE}{folder / path}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
