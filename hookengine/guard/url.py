"""Which URLs may be called: judged on their text, before anything is resolved.

There is one parser, and what it returns is what is sent: `check_url` of its own result changes nothing, and
httpx reads the result as the same host, port and path.
"""

from __future__ import annotations

import functools
import re

from hookengine.domain.struct import struct
from hookengine.guard.address import AddressPolicy, check_address
from hookengine.guard.hostname import IPAddress, Refused, canonical_host, ipv6_literal

LONGEST_URL = 8192
LONGEST_ORIGIN = 300  # characters, more than any host that is one can make it
DEFAULT_PORTS = {"http": 80, "https": 443}

# https://fetch.spec.whatwg.org/#port-blocking, from 1024 on; below that only HTTP's own two are open.
BAD_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)

# Names that mean something on this machine or network only: RFC 6761, 6762, 7686, 8375, ICANN's .internal,
# and what resolvers and clusters put there (.localdomain, .svc; .cluster.local is below .local).
LOCAL_SUFFIXES = (
    ".localhost",
    ".localdomain",
    ".local",
    ".internal",
    ".home.arpa",
    ".svc",
    ".onion",
)

_CONTROL_OR_SPACE = re.compile(r"[\x00-\x1f\x7f-\x9f\s\ud800-\udfff]")
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(.*)")
_AUTHORITY = re.compile(r"(?:\[([^\[\]]*)\]|([^\[\]:]*))(?::([0-9]+))?")
# A URL that is sent as it is written, but for the spelling of its host: nearly every one.
_PLAIN = re.compile(r"(https?)://([A-Za-z0-9._:\[\]-]+)([/?][A-Za-z0-9/?%&=+:,;@!$'()*|^~_.-]*)?")
# What WHATWG's path percent-encode set adds to the characters refused above.
_TO_ENCODE = re.compile(r'["<>`{}]|[^\x00-\x7f]')


@struct()
class Target:
    """Where a request goes. `host` is canonical and without brackets, `path` has the query with it."""

    scheme: str
    host: str
    port: int
    path: str
    is_literal: bool

    @property
    def origin(self) -> str:
        """Always with its port, such as `https://hooks.example.com:443`: made for comparing."""
        return _origin(self.scheme, self.host, self.port)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """As it stands in the URL and in the header Host."""
        return _authority(self.scheme, self.host, self.port)


@functools.lru_cache(maxsize=1024)
def _origin(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{_bracketed(host)}:{port}"


@functools.lru_cache(maxsize=1024)
def _authority(scheme: str, host: str, port: int) -> str:
    return _bracketed(host) if port == DEFAULT_PORTS[scheme] else f"{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def check_url(url: str, policy: AddressPolicy | None) -> Target:
    """Raises Refused for a URL that must not be called. A literal address is judged, a name not resolved.

    Without a policy it is only read: whether its host and port may be called is left open.
    """
    scheme, authority, path = _taken_apart(url)
    host, port, literal = _endpoint(scheme, authority, policy)
    target = Target(scheme=scheme, host=host, port=port, path=path, is_literal=literal)
    if len(path) > LONGEST_URL - LONGEST_ORIGIN and len(target.url) > LONGEST_URL:
        raise Refused("too_long", f"the URL has more than {LONGEST_URL} characters once encoded")
    return target


def check_endpoint(host: str | IPAddress, port: int, policy: AddressPolicy) -> None:
    """Raises Refused for a name, literal or port that must not be called. Expects a canonical name."""
    _check_port(port)
    if isinstance(host, str):
        _check_name(host, policy)
    else:
        check_address(host, policy)


def host_of(text: str) -> str | IPAddress:
    """A host as a connection pool names it: IPv6 without brackets."""
    return ipv6_literal(text) if ":" in text else canonical_host(text)


def _taken_apart(url: str) -> tuple[str, str, str]:
    """Scheme, authority as written, and path with query as it is sent."""
    plain = _PLAIN.fullmatch(url) if "/." not in url and len(url) <= LONGEST_URL else None
    scheme, authority, rest = plain.groups("") if plain is not None else _split(url)
    path = rest if rest.startswith("/") else f"/{rest}"
    return scheme, authority, path if plain is not None else _encoded(_without_dot_segments(path))


def _split(url: str) -> tuple[str, str, str]:
    """Scheme, authority, and path with query, of a URL free of everything parsers disagree about."""
    if len(url) > LONGEST_URL:
        raise Refused("too_long", f"the URL has more than {LONGEST_URL} characters")
    if _CONTROL_OR_SPACE.search(url):
        raise Refused("control_or_space", "the URL has a space or control character in it")
    if "\\" in url:
        raise Refused("backslash", "the URL has a backslash in it")
    matched = _ABSOLUTE.fullmatch(url)
    if matched is None:
        raise Refused("not_absolute", "the URL must begin with http:// or https://")
    scheme, authority, rest = matched.groups()
    if scheme.lower() not in DEFAULT_PORTS:
        raise Refused("scheme_not_allowed", f"only http and https URLs are called, not {scheme[:40]}")
    if "#" in url:
        raise Refused("fragment", "the URL has a fragment (#) in it, which is never sent")
    if "@" in authority:
        raise Refused("credentials_in_url", "the URL has credentials in it; send them in a header")
    return scheme.lower(), authority, rest


@functools.lru_cache(maxsize=1024)
def _endpoint(scheme: str, authority: str, policy: AddressPolicy | None) -> tuple[str, int, bool]:
    """Host, port, and whether the host is an address. The same few are called again and again, under one policy:
    what was judged under another one is judged anew."""
    matched = _AUTHORITY.fullmatch(authority)
    if matched is None:
        # A host with % in it gets its own reason also where brackets or colons are wrong.
        reason = "percent_in_host" if "%" in authority else "bad_authority"
        raise Refused(reason, "host and port must be written as host, host:port or [IPv6]:port")
    literal, name, digits = matched.groups()
    host = canonical_host(name) if literal is None else ipv6_literal(literal)
    port = DEFAULT_PORTS[scheme] if digits is None else _port(digits)
    if policy is not None:
        check_endpoint(host, port, policy)
    return str(host), port, not isinstance(host, str)


def _port(digits: str) -> int:
    significant = digits.lstrip("0")
    # The length is looked at first: int() refuses thousands of digits with a ValueError.
    if not significant or len(significant) > 5 or int(significant) > 65535:
        raise Refused("port_out_of_range", "the port must be between 1 and 65535")
    return int(significant)


def _check_port(port: int) -> None:
    if not 0 < port <= 65535:
        raise Refused("port_out_of_range", "the port must be between 1 and 65535")
    if port in BAD_PORTS or (port < 1024 and port not in DEFAULT_PORTS.values()):
        raise Refused("port_not_allowed", f"port {port} belongs to another protocol than HTTP")


def _check_name(name: str, policy: AddressPolicy) -> None:
    if name in policy.allow_hosts:
        return
    if "." not in name:
        raise Refused(
            "single_label", f"host {name!r} is a local name; an operator can open it with allow_hosts"
        )
    if name.endswith(LOCAL_SUFFIXES) or f".{name}" in LOCAL_SUFFIXES:
        raise Refused(
            "special_use_name",
            f"host {name!r} is special or local; an operator can open it with allow_hosts",
        )


def _without_dot_segments(path_and_query: str) -> str:
    """RFC 3986, 5.2.4."""
    path, mark, query = path_and_query.partition("?")
    if "/." not in path:
        return path_and_query
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return f"/{'/'.join(kept)}{mark}{query}"


def _encoded(path_and_query: str) -> str:
    """Characters that a request line cannot carry as UTF-8 percent triplets; what is encoded stays as it is."""
    return _TO_ENCODE.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found.group().encode()), path_and_query
    )
