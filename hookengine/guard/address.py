"""Which addresses may be dialled.

The table is our own because `ipaddress.is_global` differs between patch releases of Python and calls
multicast, NAT64 and 6to4 global. It follows the IANA special-purpose registries (RFC 6890), with IPv6
refused outside 2000::/3, the only part IANA gives out (RFC 4291, 2.4).
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from hookengine.errors import ConfigError
from hookengine.guard.hostname import IPAddress, Refused
from hookengine.guard.policy_text import PolicyReader

IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True)
class AddressPolicy:
    """What the operator opens. It comes from the operator's own file, never from whoever writes hooks.

    `allow_networks` opens private networks and loopback to addresses inside it. `allow_hosts` lets a name
    such as `localhost` or `gitlab` through, exactly as spelled; what it resolves to must still be allowed.
    `nat64_prefixes` are networks whose addresses are judged as the IPv4 address inside (RFC 6052).
    `own_addresses` are the engine's own ones that the machine cannot know, such as its address before NAT;
    only an `allow_networks` entry for exactly that address opens one.
    `strict_mixed` refuses a name when any of its addresses is refused; otherwise those are left out.
    """

    allow_networks: tuple[IPNetwork, ...] = ()
    allow_hosts: frozenset[str] = frozenset()
    nat64_prefixes: tuple[IPv6Network, ...] = ()
    own_addresses: frozenset[IPAddress] = frozenset()
    strict_mixed: bool = True

    @classmethod
    def parse(
        cls,
        allow_networks: Iterable[str] = (),
        *,
        allow_hosts: Iterable[str] = (),
        nat64_prefixes: Iterable[str] = (),
        own_addresses: Iterable[str] = (),
        strict_mixed: bool = True,
    ) -> AddressPolicy:
        """Raises ConfigError with every mistake in the lists, each placed such as `allow_networks[2]`."""
        reader = PolicyReader()
        policy = cls(
            allow_networks=tuple(reader.each("allow_networks", allow_networks, reader.network)),
            allow_hosts=frozenset(reader.each("allow_hosts", allow_hosts, reader.host)),
            nat64_prefixes=tuple(reader.each("nat64_prefixes", nat64_prefixes, reader.nat64_prefix)),
            own_addresses=frozenset(map(native, reader.each("own_addresses", own_addresses, reader.address))),
            strict_mixed=strict_mixed,
        )
        if reader.problems:
            raise ConfigError(reader.problems)
        return policy

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        """Once: verdicts are kept by the policy they were reached under, and networks hash slowly."""
        opened = self.allow_networks, self.allow_hosts
        return hash((opened, self.nat64_prefixes, self.own_addresses, self.strict_mixed))


@dataclass(frozen=True)
class Special:
    """Why an address is not public. `what` ends the sentence "<address> is ..." """

    reason: str
    what: str
    can_be_allowed: bool = False


def _range(
    network: str, reason: str, what: str, *, can_be_allowed: bool = False
) -> tuple[IPNetwork, Special]:
    return ipaddress.ip_network(network), Special(reason, what, can_be_allowed)


# The first range that holds an address names it, so the narrow ones stand first.
SPECIAL_RANGES = (
    _range("0.0.0.0/8", "this_network", "an address of this network (RFC 791)"),
    _range("10.0.0.0/8", "private", "a private address (RFC 1918)", can_be_allowed=True),
    _range("100.64.0.0/10", "cgnat", "a carrier or overlay address (RFC 6598)", can_be_allowed=True),
    _range("127.0.0.0/8", "loopback", "a loopback address", can_be_allowed=True),
    _range("168.63.129.16/32", "azure_wireserver", "the Azure WireServer"),
    _range("169.254.0.0/16", "link_local", "a link-local address, where clouds keep their metadata"),
    _range("172.16.0.0/12", "private", "a private address (RFC 1918)", can_be_allowed=True),
    _range("192.0.0.0/24", "ietf_protocol", "an address for IETF protocols (RFC 6890)"),
    _range("192.0.2.0/24", "documentation", "a documentation address (RFC 5737)", can_be_allowed=True),
    _range("192.88.99.0/24", "6to4_relay", "a 6to4 relay (RFC 7526)"),
    _range("192.168.0.0/16", "private", "a private address (RFC 1918)", can_be_allowed=True),
    _range("198.18.0.0/15", "benchmark", "a benchmarking address (RFC 2544)", can_be_allowed=True),
    _range("198.51.100.0/24", "documentation", "a documentation address (RFC 5737)", can_be_allowed=True),
    _range("203.0.113.0/24", "documentation", "a documentation address (RFC 5737)", can_be_allowed=True),
    _range("224.0.0.0/4", "multicast", "a multicast address"),
    _range("240.0.0.0/4", "reserved", "a reserved address (RFC 1112)"),
    _range("::/128", "unspecified", "the unspecified address, which Linux connects to itself"),
    _range("::1/128", "loopback", "a loopback address", can_be_allowed=True),
    _range("::/96", "ipv4_compatible", "an IPv4-compatible address (RFC 4291)"),
    _range("::ffff:0:0:0/96", "ipv4_translated", "an IPv4-translated address (RFC 2765)"),
    _range("64:ff9b::/96", "nat64", "a NAT64 address (RFC 6052)"),
    _range("64:ff9b:1::/48", "nat64_local", "a local NAT64 address (RFC 8215)"),
    _range("100::/64", "discard", "a discard address (RFC 6666)"),
    _range("2001::/32", "teredo", "a Teredo address (RFC 4380)"),
    _range("2001::/23", "ietf_protocol", "an address for IETF protocols (RFC 2928)"),
    _range("2001:db8::/32", "documentation", "a documentation address (RFC 3849)", can_be_allowed=True),
    _range("2002::/16", "6to4", "a 6to4 address (RFC 3056)"),
    _range("2620:4f:8000::/48", "as112", "an AS112 address (RFC 7534)"),
    _range("3fff::/20", "documentation", "a documentation address (RFC 9637)", can_be_allowed=True),
    _range("5f00::/16", "srv6", "a segment routing address (RFC 9602)"),
    _range("fc00::/7", "ula", "a private address (RFC 4193)", can_be_allowed=True),
    _range("fe80::/10", "link_local", "a link-local address"),
    _range("fec0::/10", "site_local", "a site-local address (RFC 3879)", can_be_allowed=True),
    _range("ff00::/8", "multicast", "a multicast address"),
)

# Cloud metadata that lives in ranges an operator may open: Alibaba, AWS (Nitro services), GCP, Oracle, Scaleway.
METADATA = tuple(
    ipaddress.ip_network(text)
    for text in ("100.100.100.200", "fd00:ec2::/32", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42")
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_GLOBAL = Special("not_global", "not a global unicast address (RFC 4291)")
_ISATAP = Special("isatap_embedded", "an ISATAP address of a refused IPv4 address (RFC 5214)")
_SCOPED = Special("scope_id", "an address with a scope id")
_OWN = Special("self", "an address of this machine; only exactly this address in allow_networks opens it")


def native(address: IPAddress) -> IPAddress:
    """The IPv4 address behind `::ffff:a.b.c.d`: the kernel dials that one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def check_address(address: IPAddress, policy: AddressPolicy) -> None:
    """Raises Refused unless `address` is public or opened by the operator."""
    objection = _objection(address, policy)
    if objection is not None:
        raise _refused(f"{address} is", objection, address)


def check_addresses(host: str, addresses: Iterable[IPAddress], policy: AddressPolicy) -> list[IPAddress]:
    """The addresses of `host` that may be dialled, IPv4-mapped ones as IPv4, in their order and never none.

    With `strict_mixed` one refused address beside allowed ones refuses the host, as `mixed:<reason>`.
    """
    judged = [(address, _objection(address, policy)) for address in addresses]
    good = [native(address) for address, objection in judged if objection is None]
    bad = [(address, objection) for address, objection in judged if objection is not None]
    if bad and not good:
        address, objection = bad[0]
        raise _refused(f"{host} resolves to", objection, address)
    if bad and policy.strict_mixed:
        address, objection = bad[0]
        raise _refused(f"{host} also resolves to", objection, address, prefix="mixed:")
    if not good:
        raise Refused("no_address", f"{host} has no address")
    return good


@functools.lru_cache(maxsize=4096)
def special(address: IPAddress) -> Special | None:
    """What is special about `address`, None for a public one. Expects what `native` gives."""
    for network, found in SPECIAL_RANGES:
        if address in network:
            return found
    if isinstance(address, IPv4Address):
        return None
    if address not in _GLOBAL_UNICAST:
        return _NOT_GLOBAL
    # RFC 5214, 6.1: the interface identifier is [00|02]00:5efe and the IPv4 address of the tunnel's end.
    if (int(address) >> 32) & 0xFCFFFFFF == 0x5EFE and special(IPv4Address(int(address) & 0xFFFFFFFF)):
        return _ISATAP
    return None


def _objection(address: IPAddress, policy: AddressPolicy) -> Special | None:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return _SCOPED
    address = native(address)
    for prefix in policy.nat64_prefixes:
        if address in prefix:
            return _objection(_inside_nat64(address, prefix), policy)
    found = special(address)
    if found and not (found.can_be_allowed and _is_opened(address, policy)):
        return found
    # Loopback was judged above; of the machine's other addresses the operator must have named exactly this one.
    is_loopback = found is not None and found.reason == "loopback"
    if address in policy.own_addresses and not is_loopback and not _is_named(address, policy):
        return _OWN
    return None


def _refused(subject: str, objection: Special, address: IPAddress, *, prefix: str = "") -> Refused:
    hint = "; an operator can open it with allow_networks" if objection.can_be_allowed else ""
    return Refused(prefix + objection.reason, f"{subject} {objection.what}{hint}", address=address)


def _inside_nat64(address: IPAddress, prefix: IPv6Network) -> IPv4Address:
    """RFC 6052, 2.2: the four octets after the prefix, leaving out octet 8."""
    octets, start = address.packed, prefix.prefixlen // 8
    after = octets[start:8] + octets[max(start, 9) :]
    return IPv4Address(after[:4])


def _is_metadata(address: IPAddress) -> bool:
    return any(address in network for network in METADATA)


def _is_opened(address: IPAddress, policy: AddressPolicy) -> bool:
    return not _is_metadata(address) and any(address in network for network in policy.allow_networks)


def _is_named(address: IPAddress, policy: AddressPolicy) -> bool:
    return any(network.num_addresses == 1 and address in network for network in policy.allow_networks)
