"""What a host may look like, and the one spelling under which it is judged, dialled and sent."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import IPv4Address, IPv6Address

import idna

from hookengine.errors import HookEngineError

IPAddress = IPv4Address | IPv6Address

LONGEST_NAME = 253

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NOT_IN_A_NAME = re.compile(r"[\x00-,/:-^`{-\x7f]")


class Refused(HookEngineError):
    """The fence says no. `reason_code` is stable and meant for records, the message for a person.

    `address` is the address that was at fault. It is kept out of messages about names, because whoever
    writes a hook must not learn from them what the operator's own DNS answers.
    """

    def __init__(self, reason_code: str, message: str, *, address: IPAddress | None = None) -> None:
        super().__init__(message)
        self.reason_code, self.address = reason_code, address


def canonical_host(text: str) -> str | IPv4Address:
    """A name or IPv4 literal as it is used; an IPv6 literal is not one (see `ipv6_literal`).

    A host whose last label is a number is an IPv4 address (WHATWG URL, "ends in a number"), and libc would
    read `127.1`, `0x7f.1` and `2130706433` as one: only the four plain decimal numbers are accepted.
    """
    name = canonical_name(text)
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return name
    try:
        return IPv4Address(name)
    except ipaddress.AddressValueError:
        raise Refused(
            "ambiguous_ipv4",
            f"host {name!r} ends in a number but is not an address such as 192.0.2.1",
        ) from None


def canonical_name(text: str) -> str:
    """Lower case ASCII after the UTS #46 mapping, without the dot that marks an absolute name.

    Underscores pass although RFC 1123 knows none: such names are in use. Labels in ASCII are not looked at
    as punycode; DNS will not know the ones that decode to nothing.
    """
    if not text:
        raise Refused("empty_host", "the URL has no host")
    if "%" in text:
        raise Refused("percent_in_host", "the host must not contain %")
    name = (text.lower() if text.isascii() else _mapped(text)).removesuffix(".")
    if len(name) > LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise Refused("bad_hostname", f"{_short(text)} is not a host name")
    return name


def ipv6_literal(text: str) -> IPv6Address:
    """`text` is what stands between the brackets."""
    if "%" in text:
        raise Refused("percent_in_host", "the host must not contain % or a scope id")
    try:
        return IPv6Address(text)
    except ipaddress.AddressValueError:
        raise Refused("bad_ipv6_literal", f"[{_short(text)}] is not an IPv6 address") from None


def _mapped(text: str) -> str:
    """Full-width digits, enclosed letters and ideographic dots become what a resolver would see."""
    try:
        mapped = idna.uts46_remap(text, std3_rules=False)
        if _NOT_IN_A_NAME.search(mapped):
            raise idna.IDNAError("maps to a character that no name has")
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in mapped.split(".")
        )
    except UnicodeError:  # IDNAError is one
        raise Refused("bad_idna", f"{_short(text)} is not an internationalised host name") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
