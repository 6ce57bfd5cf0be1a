from __future__ import annotations

import pytest

from hookengine.domain.hook import LanePolicy, LaneSpec
from hookengine.domain.request import RenderedRequest, SecretRef
from hookengine.domain.status_call import commit_of
from hookengine.engine.lanes import account_of, lane_of
from hookengine.engine.rendering import Rendered
from tests.conftest import make_hook, make_request

ACTION = (1, "7")
PLAIN = make_request()
STATUS = make_request(
    url="https://api.github.com/repos/acme/shop/statuses/abc", body=('{"state":"success","context":"ci"}',)
)
STATUS_LANE = 'status:["api.github.com", "acme/shop", "abc", "ci"]'
ORDERED_STATUS_LANE = 'status-ordered:["api.github.com", "acme/shop", "abc", "ci"]'


@pytest.mark.parametrize(
    ("lane", "request_", "key", "expected"),
    [
        (None, PLAIN, None, ("hook:hook_1:1:7", LanePolicy.ORDERED)),
        (None, STATUS, None, (STATUS_LANE, LanePolicy.LATEST)),
        (LaneSpec(policy=LanePolicy.LATEST), PLAIN, None, ("hook:hook_1:1:7", LanePolicy.LATEST)),
        (LaneSpec(policy=LanePolicy.LATEST), STATUS, None, (STATUS_LANE, LanePolicy.LATEST)),
        (LaneSpec(policy=LanePolicy.ORDERED), STATUS, None, (ORDERED_STATUS_LANE, LanePolicy.ORDERED)),
        (LaneSpec(policy=LanePolicy.LATEST, key="x"), STATUS, "x", ("named:latest:x", LanePolicy.LATEST)),
        (LaneSpec(policy=LanePolicy.ORDERED, key="x"), PLAIN, "x", ("named:ordered:x", LanePolicy.ORDERED)),
        (LaneSpec(policy=LanePolicy.NONE), STATUS, None, ("delivery:dlv_1", LanePolicy.NONE)),
        (LaneSpec(policy=LanePolicy.NONE, key="x"), PLAIN, "x", ("delivery:dlv_1", LanePolicy.NONE)),
    ],
)
def test_a_delivery_belongs_into_the_lane_of_what_it_changes(
    lane: LaneSpec | None, request_: RenderedRequest, key: str | None, expected: tuple[str, LanePolicy]
) -> None:
    assert lane_of(make_hook(lane=lane), Rendered(request_, key), ACTION, "dlv_1") == expected


def test_hooks_that_write_one_status_share_a_lane_and_other_hooks_do_not() -> None:
    first, second = make_hook(id="started"), make_hook(id="completed")

    statuses = {lane_of(hook, Rendered(STATUS, None), ACTION, hook.id) for hook in (first, second)}
    others = {lane_of(hook, Rendered(PLAIN, None), ACTION, hook.id) for hook in (first, second)}

    assert (len(statuses), len(others)) == (1, 2)


def test_another_action_of_a_plain_hook_does_not_wait_for_the_first() -> None:
    lanes = {lane_of(make_hook(), Rendered(PLAIN, None), (1, action), "dlv") for action in ("7", "8")}

    assert len(lanes) == 2


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (None, None),
        (LaneSpec(policy=LanePolicy.ORDERED), None),
        (LaneSpec(policy=LanePolicy.LATEST, key="x"), "x"),
    ],
)
def test_teams_do_not_share_lanes(spec: LaneSpec | None, key: str | None) -> None:
    teams = ["", "red", "blue", 'red"', 'by "red"']

    lanes = {
        lane_of(make_hook(lane=spec), Rendered(STATUS, key), ACTION, "dlv", team)[0]: team for team in teams
    }

    assert len(lanes) == len(teams)
    assert key is not None or {commit_of(lane) for lane in lanes} == {
        commit_of(lane_of(make_hook(), Rendered(STATUS, None), ACTION, "dlv")[0])
    }


def test_the_policy_of_a_lane_does_not_depend_on_who_comes_first() -> None:
    specs = [None, *(LaneSpec(policy=policy) for policy in (LanePolicy.LATEST, LanePolicy.ORDERED))]

    lanes = {lane_of(make_hook(lane=spec), Rendered(STATUS, None), ACTION, "dlv_1") for spec in specs}

    assert len({key for key, _ in lanes}) == len(lanes)


@pytest.mark.parametrize("named", [True, False])
def test_a_long_name_is_cut_off_and_still_not_mistaken_for_another(named: bool) -> None:
    def lane(name: str) -> str:
        if named:
            hook = make_hook(lane=LaneSpec(policy=LanePolicy.LATEST, key="x"))
            return lane_of(hook, Rendered(PLAIN, name), ACTION, "dlv_1")[0]
        url = f"https://api.github.com/repos/acme/shop/statuses/{name}"
        request = make_request(url=url, body=('{"state":"success"}',))
        return lane_of(make_hook(), Rendered(request, None), ACTION, "dlv_1")[0]

    lanes = {lane("x" * 3000), lane("x" * 2999 + "y"), lane("x" * 2999 + "y")}

    assert len(lanes) == 2
    assert max(map(len, lanes)) < 600


def test_a_name_with_a_nul_in_it_can_be_stored() -> None:
    hook = make_hook(lane=LaneSpec(policy=LanePolicy.LATEST, key="x"))

    key, _ = lane_of(hook, Rendered(PLAIN, "a\0b"), ACTION, "dlv_1")

    assert key == "named:latest:a\ufffdb"


def test_an_account_of_many_secrets_has_a_name_of_bounded_length() -> None:
    secrets = [SecretRef(f"secrets.{number:04}") for number in range(200)]

    accounts = [
        account_of(make_request(headers=(("Authorization", tuple(some)),)), "target.example", "hook_1")
        for some in (secrets, secrets[1:])
    ]

    assert accounts[0] != accounts[1]
    assert max(map(len, accounts)) < 600
