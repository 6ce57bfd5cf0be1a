from __future__ import annotations

import json
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from hookengine.errors import ConfigError
from hookengine.guard.address import SPECIAL_RANGES, AddressPolicy, check_address, check_addresses
from hookengine.guard.hostname import Refused
from hookengine.guard.url import check_url

CASES = json.loads((Path(__file__).parents[2] / "cases" / "ssrf_cases.json").read_text())
EVERYTHING = AddressPolicy.parse(["0.0.0.0/0", "::/0"])


def judge(case: dict[str, Any]) -> str:
    """The reason code for a case, `public` when nothing objects; stages as the engine goes through them."""
    policy = AddressPolicy.parse(
        case["policy"].get("allow_nets", ()), own_addresses=case["policy"].get("self_addrs", ())
    )
    answers = case["resolves"] or []
    if answers and isinstance(answers[0], list):
        answers = answers[0]
    try:
        target = check_url(case["url"], policy)
        if "redirect_to" in case:
            target = check_url(urljoin(case["url"], case["redirect_to"]), policy)
        if not target.is_literal:
            check_addresses(target.host, map(ip_address, answers), policy)
    except Refused as refused:
        return refused.reason_code
    return "public"


def reason_for(address: str, policy: AddressPolicy | None = None) -> str:
    try:
        check_address(ip_address(address), policy or AddressPolicy())
    except Refused as refused:
        return refused.reason_code
    return "public"


def reason_for_all(addresses: list[str], policy: AddressPolicy | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_addresses("hooks.example.com", map(ip_address, addresses), policy or AddressPolicy())
    return caught.value.reason_code


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_known_attack_or_honest_url_is_judged_as_recorded(case: dict[str, Any]) -> None:
    assert (judge(case) == "public") == (case["verdict"] == "allow")
    assert judge(case) == case["reason"]


@pytest.mark.parametrize(("network", "special"), SPECIAL_RANGES, ids=lambda value: str(value)[:24])
def test_both_ends_of_a_special_range_are_refused(network: IPv4Network | IPv6Network, special: Any) -> None:
    assert reason_for(str(network[0])) != "public"
    assert reason_for(str(network[-1])) != "public"


@pytest.mark.parametrize(
    "address",
    [
        "1.0.0.0",
        "11.0.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "172.15.0.1",
        "192.0.1.0",
        "192.0.3.0",
        "198.20.0.0",
        "223.255.255.255",
        "2000::1",
        "2001:200::1",
        "2003::1",
        "2620:4f:8001::1",
        "3fff:1000::1",
        "2a00:1450::1",
    ],
)
def test_a_neighbour_of_a_special_range_is_public(address: str) -> None:
    assert reason_for(address) == "public"


@pytest.mark.parametrize("address", ["4000::1", "200::1", "1fff:ffff::1", "e000::1", "ffc0::1", "::8.8.8.8"])
def test_ipv6_outside_global_unicast_is_refused_even_where_no_range_is_named(address: str) -> None:
    assert reason_for(address) != "public"
    assert reason_for(address, AddressPolicy.parse(["8.0.0.0/8"])) != "public"


def test_a_mapped_address_is_judged_and_dialled_as_the_ipv4_address() -> None:
    assert reason_for("::ffff:8.8.8.8") == "public"
    assert reason_for("::ffff:127.0.0.1") == "loopback"
    assert reason_for("::ffff:10.0.0.1", AddressPolicy.parse(["10.0.0.0/8"])) == "public"
    assert check_addresses("a.example", [ip_address("::ffff:8.8.8.8")], AddressPolicy()) == [
        ip_address("8.8.8.8")
    ]


@pytest.mark.parametrize("address", ["2606:4700::1%eth0", "::1%lo", "::ffff:8.8.8.8%1"])
def test_a_scope_id_is_refused_whatever_the_address(address: str) -> None:
    assert reason_for(address, EVERYTHING) == "scope_id"


def test_isatap_is_judged_by_the_ipv4_address_inside() -> None:
    assert reason_for("2606:4700::5efe:808:808") == "public"
    assert reason_for("2606:4700::5efe:a00:1") == "isatap_embedded"
    assert reason_for("2606:4700::200:5efe:a9fe:a9fe") == "isatap_embedded"


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.0.0.1"),
        ("::1/128", "::1"),
        ("10.20.0.0/16", "10.20.255.1"),
        ("100.64.0.0/10", "100.101.102.103"),
        ("fd00::/8", "fd12:3456::1"),
    ],
)
def test_allow_networks_opens_private_networks_and_loopback(network: str, address: str) -> None:
    assert reason_for(address) != "public"
    assert reason_for(address, AddressPolicy.parse([network])) == "public"


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "::ffff:169.254.169.254",
        "fe80::1",
        "100.100.100.200",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "192.0.0.192",
        "168.63.129.16",
        "224.0.0.1",
        "239.255.255.250",
        "ff02::1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "2002:7f00:1::",
        "::127.0.0.1",
        "::ffff:0:7f00:1",
    ],
)
def test_metadata_link_local_and_multicast_are_never_opened(address: str) -> None:
    exactly = AddressPolicy.parse([address])

    assert reason_for(address, EVERYTHING) != "public"
    assert reason_for(address, exactly) != "public"


def test_nat64_is_refused_unless_the_operator_names_the_prefix() -> None:
    policy = AddressPolicy.parse(nat64_prefixes=["64:ff9b::/96"])

    assert reason_for("64:ff9b::808:808") == "nat64"
    assert reason_for("64:ff9b::808:808", policy) == "public"
    assert reason_for("64:ff9b::a9fe:a9fe", policy) == "link_local"
    assert reason_for("64:ff9b::7f00:1", policy) == "loopback"
    assert reason_for("64:ff9b:1::808:808", policy) == "nat64_local"


@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        # The examples of RFC 6052, 2.4, around 192.0.2.33.
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ],
)
def test_the_ipv4_address_is_found_in_every_prefix_length_of_nat64(prefix: str, address: str) -> None:
    closed = AddressPolicy.parse(nat64_prefixes=[prefix])
    opened = AddressPolicy.parse(["192.0.2.33/32"], nat64_prefixes=[prefix])

    assert reason_for(address, closed) == "documentation"
    assert reason_for(address, opened) == "public"


def test_an_own_address_is_opened_only_by_naming_exactly_it() -> None:
    own = ["198.41.0.4", "10.0.0.7", "127.0.0.1"]

    assert reason_for("198.41.0.4", AddressPolicy.parse(own_addresses=own)) == "self"
    assert reason_for("::ffff:198.41.0.4", AddressPolicy.parse(own_addresses=own)) == "self"
    assert reason_for("10.0.0.7", AddressPolicy.parse(["10.0.0.0/8"], own_addresses=own)) == "self"
    assert reason_for("10.0.0.7", AddressPolicy.parse(["10.0.0.7"], own_addresses=own)) == "public"
    assert reason_for("127.0.0.1", AddressPolicy.parse(["127.0.0.0/8"], own_addresses=own)) == "public"


def test_one_refused_address_refuses_the_host_unless_mixed_answers_are_filtered() -> None:
    mixed = ["93.184.216.34", "10.0.0.5", "2606:4700::1111"]
    filtering = AddressPolicy.parse(strict_mixed=False)

    assert reason_for_all(mixed) == "mixed:private"
    assert check_addresses("a.example", map(ip_address, mixed), filtering) == [
        ip_address("93.184.216.34"),
        ip_address("2606:4700::1111"),
    ]
    assert reason_for_all(["10.0.0.5", "fd00::5"], filtering) == "private"
    assert reason_for_all([], filtering) == "no_address"


def test_a_refusal_of_a_name_keeps_the_internal_address_out_of_its_message() -> None:
    with pytest.raises(Refused) as caught:
        check_addresses("gitlab.example.com", [ip_address("10.1.2.3")], AddressPolicy())

    assert str(caught.value) == (
        "gitlab.example.com resolves to a private address (RFC 1918);"
        " an operator can open it with allow_networks"
    )
    assert caught.value.address == ip_address("10.1.2.3")


def test_every_mistake_in_a_policy_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        AddressPolicy.parse(
            ["10.0.0.0/8", "10.1.2.3/8", "intranet"],
            allow_hosts=["gitlab", "*.corp", "10.0.0.1", "git lab"],
            nat64_prefixes=["64:ff9b::/95", "fe80::/64", "10.0.0.0/8"],
            own_addresses=["10.0.0.0/8"],
        )

    assert [problem.place for problem in caught.value.problems] == [
        "allow_networks[1]",
        "allow_networks[2]",
        "allow_hosts[1]",
        "allow_hosts[2]",
        "allow_hosts[3]",
        "nat64_prefixes[0]",
        "nat64_prefixes[1]",
        "nat64_prefixes[2]",
        "own_addresses[0]",
    ]
    assert str(caught.value.problems[0]) == (
        "allow_networks[1]: '10.1.2.3/8' has bits set after its prefix (the network is 10.0.0.0/8)"
    )


def test_allowed_hosts_are_kept_as_they_are_compared() -> None:
    policy = AddressPolicy.parse(allow_hosts=["GitLab", "localhost.", "Bücher.internal"])

    assert policy.allow_hosts == {"gitlab", "localhost", "xn--bcher-kva.internal"}
