from __future__ import annotations

import pytest

from hookengine.domain.hook import HookState
from hookengine.domain.pipeline import IncomingHook
from hookengine.engine.catalogue import Catalogue
from hookengine.errors import InvalidEvent, NotFound, TemplateError
from hookengine.guard.address import AddressPolicy
from hookengine.guard.permissions import Permissions
from hookengine.store.care import Definitions
from tests.conftest import make_hook, make_pipeline

SHOP, SITE = make_pipeline(id=1, name="shop-deploy"), make_pipeline(id=2, name="site-build")


def catalogue(**defined: object) -> Catalogue:
    return Catalogue(Definitions(**{"pipelines": (SHOP, SITE), **defined}))  # type: ignore[arg-type]


@pytest.mark.parametrize("reference", [1, "shop-deploy"])
def test_a_pipeline_is_found_by_id_and_by_name(reference: int | str) -> None:
    assert catalogue().pipeline(reference) == SHOP


@pytest.mark.parametrize(
    ("reference", "hint"),
    [("shop-deplyo", "Did you mean 'shop-deploy'?"), (11, "Did you mean '1'?"), ("zzz", "")],
)
def test_an_unknown_pipeline_is_refused_with_what_is_near(reference: int | str, hint: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        catalogue().pipeline(reference)

    (message,) = refused.value.errors["action.pipeline"]
    assert message == f"There is no pipeline {reference!r}.{' ' if hint else ''}{hint}"


def test_where_no_pipeline_is_defined_it_is_told_what_defines_one() -> None:
    with pytest.raises(InvalidEvent) as refused:
        Catalogue(Definitions()).pipeline("shop-deploy")

    (message,) = refused.value.errors["action.pipeline"]
    assert message.startswith("There is no pipeline 'shop-deploy'. None is defined yet: `hookengine apply` ")


def test_a_new_pipeline_gets_the_next_id_or_a_name_made_of_its_id() -> None:
    assert catalogue().new_pipeline("fresh").id == 3
    assert Catalogue().new_pipeline("fresh").id == 1
    assert catalogue().new_pipeline(40).name == "pipeline-40"


def test_a_pipeline_has_its_own_hooks_and_those_of_all() -> None:
    hooks = (make_hook(id="a", pipeline_id=1), make_hook(id="b", pipeline_id=2), make_hook(id="c"))

    assert [hook.id for hook in catalogue(hooks=hooks).hooks_of(SHOP)] == ["a", "c"]


def test_only_the_revision_that_runs_is_known() -> None:
    known = catalogue(hooks=(make_hook(revision=2),))

    assert known.hook("hook_1", 1) is None
    assert known.hook("hook_1", 2) == make_hook(revision=2)
    assert known.hook("nobody", 1) is None


@pytest.mark.parametrize("state", [HookState.DISABLED, HookState.PAUSED])
def test_a_hook_that_is_switched_stays_known(state: HookState) -> None:
    known = catalogue(hooks=(make_hook(),))

    known.switch("hook_1", state)
    known.switch("nobody", state)

    hook = known.hook("hook_1", 1)
    assert hook is not None
    assert hook.state is state


def test_loading_keeps_what_is_prepared() -> None:
    known = catalogue(hooks=(make_hook(),))
    prepared = known.prepared(make_hook())

    known.load(Definitions(hooks=(make_hook(), make_hook(id="more"))))

    assert known.prepared(make_hook()) is prepared
    assert known.pipelines == ()


def test_a_hook_that_cannot_be_prepared_keeps_no_other_from_running() -> None:
    good, bad = make_hook(id="good"), make_hook(id="bad", target_url="{{ ")
    known = catalogue(hooks=(bad, good))

    assert known.prepared(good).hook == good
    for _ in range(2):
        with pytest.raises(TemplateError, match="target_url"):
            known.prepared(bad)
    assert [hook_id for hook_id, _ in known.unfit()] == ["bad"]


def test_a_hook_is_judged_by_what_the_operator_permits() -> None:
    hook = make_hook(target_url="https://10.0.0.1/")
    definitions = Definitions(hooks=(hook,))
    closed = Permissions(addresses=AddressPolicy.parse())
    opened = Permissions(addresses=AddressPolicy.parse(["10.0.0.0/8"]))

    with pytest.raises(TemplateError, match=r"target_url, .*private address"):
        Catalogue(definitions, closed).prepared(hook)
    assert Catalogue(definitions, opened).prepared(hook).hook == hook


def test_an_incoming_hook_that_is_inactive_is_not_found() -> None:
    hooks = (
        IncomingHook(id="active", name="a", pipeline_id=1),
        IncomingHook(id="inactive", name="i", pipeline_id=1, active=False),
    )
    known = catalogue(incoming_hooks=hooks)

    assert known.incoming("active").name == "a"
    for hook_id in ("inactive", "nobody"):
        with pytest.raises(NotFound):
            known.incoming(hook_id)


def test_the_longest_deadline_is_that_of_the_slowest_hook() -> None:
    hooks = (make_hook(id="a", timeout=5.0), make_hook(id="b", timeout=61.5))

    assert catalogue(hooks=hooks).longest_deadline == 61_500
    assert Catalogue().longest_deadline == 0


def test_a_pipeline_is_found_by_the_digest_of_its_integration_key_and_by_no_empty_one() -> None:
    keyed = make_pipeline(id=1, name="shop-deploy", integration_key_digest="d1")
    known = catalogue(pipelines=(keyed, SITE))

    assert known.pipeline_of_key("d1") == keyed
    assert known.pipeline_of_key("d2") is None
    assert known.pipeline_of_key("") is None
