from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hookengine.domain.definition import Change, Definition, Kind, Note
from hookengine.domain.hook import Hook, HookState, Signing
from hookengine.domain.pipeline import IncomingHook, Pipeline
from hookengine.domain.secret import StoredSecret
from hookengine.errors import ConfigError, ManagedElsewhere, Outdated
from hookengine.store.care import Definitions
from hookengine.store.contract import Store
from tests.conftest import NOW, make_hook, make_pipeline
from tests.contract.conftest import accept, owed, terms
from tests.definitions import define

pytestmark = pytest.mark.anyio

PIPELINE = make_pipeline()
HOOK = make_hook(id="hook_1", pipeline_id=1)
INCOMING = IncomingHook(id="incoming_1", name="pushes", pipeline_id=1)
ALL = pytest.mark.parametrize("one", [PIPELINE, HOOK, INCOMING], ids=["pipeline", "hook", "incoming hook"])


async def _define(
    store: Store, after: Definition | None, before: Definition | None = None, *, now: int = NOW, **how: Any
) -> None:
    await store.define(Change(before=before, after=after, **how), now)


async def _by_file(store: Store, now: int = NOW) -> None:
    definitions = Definitions(pipelines=(PIPELINE,), hooks=(HOOK,), incoming_hooks=(INCOMING,))
    await define(store, definitions, "file", now)


async def _all(store: Store) -> set[Any]:
    """What is defined, without revisions."""
    _, found = await store.definitions()
    assert found is not None
    kept = (*found.pipelines, *(replace(hook, revision=1) for hook in found.hooks), *found.incoming_hooks)
    return {repr(one) for one in kept}


def _renamed(one: Definition) -> Definition:
    return replace(one, name="another name")


@ALL
async def test_one_that_is_created_is_there_and_nodes_notice(store: Store, one: Definition) -> None:
    version, _ = await store.definitions()

    await _define(store, one)

    newer, _ = await store.definitions()
    assert newer > version
    assert await _all(store) == {repr(one)}


@ALL
async def test_one_that_is_changed_is_what_it_was_changed_to(store: Store, one: Definition) -> None:
    await _define(store, one)

    await _define(store, _renamed(one), one, now=NOW + 5)

    notes = await store.notes(Kind.of(one), [one.id, "nobody" if isinstance(one.id, str) else 99])
    assert await _all(store) == {repr(_renamed(one))}
    assert notes == {one.id: Note(managed_by="api", created_at=NOW, updated_at=NOW + 5)}


@ALL
async def test_one_that_is_deleted_is_gone(store: Store, one: Definition) -> None:
    await _define(store, one)

    await _define(store, None, one)

    assert await _all(store) == set()
    assert await store.notes(Kind.of(one), [one.id]) == {}


@ALL
@pytest.mark.parametrize("what", ["change", "delete", "create"])
async def test_what_a_file_manages_is_left_alone_unless_forced(
    store: Store, one: Definition, what: str
) -> None:
    await _by_file(store)
    before, after = {
        "change": (one, _renamed(one)),
        "delete": (one, None),
        "create": (None, _renamed(one)),
    }[what]

    with pytest.raises(ManagedElsewhere, match="is managed by 'file'"):
        await _define(store, after, before)

    assert repr(one) in await _all(store)
    if what != "create":
        await _define(store, after, before, force=True)
        assert repr(one) not in await _all(store)


@ALL
async def test_one_that_is_taken_over_is_the_apis_own(store: Store, one: Definition) -> None:
    await _by_file(store)

    await _define(store, one, one, force=True)

    notes = await store.notes(Kind.of(one), [one.id])
    assert notes[one.id].managed_by == "api"
    assert notes[one.id].file == ""


@ALL
async def test_a_change_that_was_decided_on_something_older_is_refused(store: Store, one: Definition) -> None:
    await _define(store, one)
    await _define(store, _renamed(one), one)

    for before, after in ((one, replace(one, name="a third name")), (None, one), (one, None)):
        with pytest.raises(Outdated):
            await _define(store, after, before)

    assert await _all(store) == {repr(_renamed(one))}


@ALL
async def test_a_change_that_was_made_already_may_be_made_again(store: Store, one: Definition) -> None:
    """The answer to a commit may be lost."""
    for _ in range(2):
        await _define(store, one)
    for _ in range(2):
        await _define(store, _renamed(one), one)
    assert await _all(store) == {repr(_renamed(one))}

    for _ in range(2):
        await _define(store, None, _renamed(one))
    assert await _all(store) == set()


async def test_a_pipeline_may_not_take_the_name_of_another(store: Store) -> None:
    await _define(store, PIPELINE)

    with pytest.raises(ConfigError, match="pipeline 1 has the name"):
        await _define(store, replace(PIPELINE, id=2))


async def test_an_id_is_never_given_to_a_second_pipeline(store: Store) -> None:
    await _define(store, replace(PIPELINE, id=4))
    await store.new_action(4, NOW)
    await _define(store, None, replace(PIPELINE, id=4))

    assert await store.free_pipeline_id() == 5


async def test_a_pipeline_is_deleted_with_all_that_is_its_own(store: Store) -> None:
    other = make_hook(id="hook_2", pipeline_id=2)
    for one in (PIPELINE, HOOK, INCOMING, other):
        await _define(store, one)
    for owner in ("pipeline:1", "hook:hook_1", "incoming:incoming_1"):
        await store.keep_secret(StoredSecret(owner=owner, name="x", hosts=(), updated_at=NOW), "sealed")

    await _define(store, None, PIPELINE)

    _, defined = await store.definitions()
    assert await _all(store) == {repr(other)}
    assert defined is not None
    assert defined.secrets == ()


@pytest.mark.parametrize("managed", [HOOK, INCOMING])
async def test_a_pipeline_with_hooks_of_a_file_is_not_deleted(store: Store, managed: Any) -> None:
    await _define(store, PIPELINE)
    field = "hooks" if isinstance(managed, Hook) else "incoming_hooks"
    await define(store, Definitions(**{field: (managed,)}), "file", NOW)

    with pytest.raises(ManagedElsewhere):
        await _define(store, None, PIPELINE)
    assert await _all(store) == {repr(PIPELINE), repr(managed)}

    await _define(store, None, PIPELINE, force=True)
    assert await _all(store) == set()


async def test_what_a_deleted_hook_owes_is_cancelled(store: Store) -> None:
    await _define(store, HOOK)
    await accept(store, owed("a"), now=NOW + 1)

    await _define(store, None, HOOK, now=NOW + 2)

    claimed = await store.claim(NOW + 3, terms())
    assert [(ending.delivery_id, ending.status) for ending in claimed.endings] == [("dlv_a", "cancelled")]


async def test_revisions_are_kept_the_newest_first(store: Store) -> None:
    await _define(store, HOOK)
    await _define(store, replace(HOOK, method="PUT"), HOOK, now=NOW + 5)

    revisions = await store.revisions("hook_1")

    assert [(hook.revision, hook.method, at) for hook, at in revisions] == [
        (2, "PUT", NOW + 5),
        (1, "POST", NOW),
    ]
    assert await store.revisions("nobody") == ()


@pytest.mark.parametrize(
    ("target_url", "kept"), [("https://target.example/elsewhere", 1), ("https://other.example/statuses", 0)]
)
async def test_a_hook_that_goes_to_another_host_loses_its_own_secrets(
    store: Store, target_url: str, kept: int
) -> None:
    await _define(store, HOOK)
    await store.keep_secret(
        StoredSecret(owner="hook:hook_1", name="own", hosts=("target.example",), updated_at=NOW), "sealed"
    )

    await _define(store, replace(HOOK, target_url=target_url), HOOK)

    _, defined = await store.definitions()
    assert defined is not None
    assert len(defined.secrets) == kept


async def test_switching_through_a_change_forgets_why_it_was_off(store: Store) -> None:
    await _define(store, HOOK)
    await store.switch("hook_1", HookState.PAUSED, "for the holidays", NOW)
    paused = replace(HOOK, state=HookState.PAUSED)

    await _define(store, replace(paused, name="renamed"), paused)
    still = await store.notes(Kind.HOOK, ["hook_1"])
    await _define(store, replace(HOOK, name="renamed"), replace(paused, name="renamed"))

    assert still["hook_1"].because == "for the holidays"
    assert (await store.notes(Kind.HOOK, ["hook_1"]))["hook_1"].because == ""
    assert await _all(store) == {repr(replace(HOOK, name="renamed"))}


async def test_a_hook_that_was_switched_meanwhile_is_looked_at_again(store: Store) -> None:
    await _define(store, HOOK)
    await store.switch("hook_1", HookState.DISABLED, "gone", NOW)

    with pytest.raises(Outdated):
        await _define(store, replace(HOOK, name="renamed"), HOOK)


async def test_the_secret_of_an_incoming_hook_comes_and_goes_with_it(store: Store) -> None:
    signed = replace(INCOMING, secret="signature")
    secret = StoredSecret(owner="incoming:incoming_1", name="signature", hosts=(), updated_at=NOW)

    await _define(store, signed, secret=(secret, "sealed"))
    kept = await store.kept_secret(secret.owner, secret.name)
    await _define(store, INCOMING, signed)

    assert kept == ("sealed", ())
    assert await store.kept_secret(secret.owner, secret.name) is None


async def test_what_a_change_of_a_hook_drops_goes_in_the_transaction_that_keeps_what_is_new(
    store: Store,
) -> None:
    old, new = (StoredSecret(owner="hook:hook_1", name=name, hosts=(), updated_at=NOW) for name in ("a", "b"))
    await _define(store, HOOK, secret=(old, "sealed a"))
    signed = replace(HOOK, signing=Signing(secrets=("b",)))

    outdated = Change(before=signed, after=replace(HOOK, name="renamed"), secret=(new, "x"), dropped=(old,))
    with pytest.raises(Outdated):
        await store.define(outdated, NOW)
    before = [await store.kept_secret(each.owner, each.name) for each in (old, new)]
    await store.define(Change(before=HOOK, after=signed, secret=(new, "sealed b"), dropped=(old,)), NOW)

    assert before == [("sealed a", ()), None]
    after = [await store.kept_secret(each.owner, each.name) for each in (old, new)]
    assert after == [None, ("sealed b", ())]


async def test_the_times_of_incoming_hooks_and_pipelines_stay_while_a_file_is_applied_again(
    store: Store,
) -> None:
    await _by_file(store)
    await _by_file(store, NOW + 1)
    changed = Definitions(
        pipelines=(Pipeline(id=1, name="renamed"),), incoming_hooks=(replace(INCOMING, name="renamed"),)
    )

    async def times() -> set[tuple[int, int]]:
        notes = {
            **await store.notes(Kind.PIPELINE, [1]),
            **await store.notes(Kind.INCOMING_HOOK, ["incoming_1"]),
        }
        assert len(notes) == 2
        return {(note.created_at, note.updated_at) for note in notes.values()}

    assert await times() == {(NOW, NOW)}
    await define(store, changed, "file", NOW + 2)

    assert await times() == {(NOW, NOW + 2)}
