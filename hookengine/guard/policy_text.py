"""Reading an operator's lists of networks and hosts, telling every mistake at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import TypeVar

from hookengine.errors import Problem
from hookengine.guard.hostname import IPAddress, Refused, canonical_host

T = TypeVar("T")

# RFC 6052, 2.2 defines these lengths only.
NAT64_LENGTHS = (32, 40, 48, 56, 64, 96)
# Where a translator's prefix may lie: the well-known and local ones, an operator's own, an ULA.
NAT64_HOMES = tuple(IPv6Network(text) for text in ("64:ff9b::/32", "2000::/3", "fc00::/7"))


class Mistake(Exception):
    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PolicyReader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def each(self, setting: str, texts: Iterable[str], read: Callable[[str], T]) -> Iterator[T]:
        for index, text in enumerate(texts):
            try:
                yield read(text)
            except Mistake as mistake:
                place = f"{setting}[{index}]"
                self.problems.append(Problem(message=str(mistake), place=place, hint=mistake.hint))

    @staticmethod
    def network(text: str) -> IPv4Network | IPv6Network:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise Mistake(f"{text!r} is not a network", "write it as 10.0.0.0/8 or fd00::/8") from None
        if network.network_address != ipaddress.ip_interface(text).ip:
            raise Mistake(f"{text!r} has bits set after its prefix", f"the network is {network}")
        return network

    @staticmethod
    def nat64_prefix(text: str) -> IPv6Network:
        network = PolicyReader.network(text)
        if not isinstance(network, IPv6Network) or network.prefixlen not in NAT64_LENGTHS:
            raise Mistake(f"{text!r} is not a NAT64 prefix", "IPv6, of length 32, 40, 48, 56, 64 or 96")
        if not any(network.subnet_of(home) for home in NAT64_HOMES):
            raise Mistake(f"{text!r} cannot be a NAT64 prefix", "the usual one is 64:ff9b::/96")
        return network

    @staticmethod
    def host(text: str) -> str:
        try:
            host = canonical_host(text)
        except Refused as refused:
            raise Mistake(str(refused), "write exact names, without port or wildcard") from None
        if isinstance(host, IPv4Address):
            raise Mistake(f"{text!r} is an address", "put addresses into allow_networks")
        return host

    @staticmethod
    def address(text: str) -> IPAddress:
        try:
            return ipaddress.ip_address(text)
        except ValueError:
            raise Mistake(f"{text!r} is not an IP address") from None
