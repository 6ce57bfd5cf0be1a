"""Secrets over HTTP: set, used, listed by name, deleted; and made for hooks that sign what they send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hookengine.domain.clock import SystemClock
from hookengine.guard.signing import new_signing_secret
from hookengine.web.server import answering, listening
from tests.acceptance.configs import a_config, a_hook, event
from tests.acceptance.engines import Opened, opened
from tests.acceptance.hosts import GITHUB
from tests.acceptance.test_signing import Receiver, verified
from tests.unit.engine.targets import Request, target

pytestmark = pytest.mark.anyio

OPERATOR = "the-operators-own-7c2e"
FIRST, SECOND = "t0ken-number-one", "t0ken-number-two"
BOARD = "{{ secrets.board }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An engine, its operator, and what its target was sent."""

    engine: Opened
    admin: httpx.AsyncClient
    receiver: Receiver
    target: str

    async def sent(self, number: int) -> Request:
        """What the one hook that an event matches sends for it."""
        (delivery,) = await self.engine.accept(event("completed", number))
        await self.engine.ended(delivery)
        return self.receiver.requests[-1]

    async def new_hook(self, **changes: Any) -> str:
        """Its id."""
        document = {**a_hook(self.target, "action.completed", name="made"), "pipeline": 1, **changes}
        made = await self.admin.post("/api/hooks", json=document)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def renewed(self, hook_id: str) -> str:
        answer = await self.admin.post(f"/api/hooks/{hook_id}/signing-secret")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["new_secret"])

    async def names(self, **owner: Any) -> list[str]:
        items = (await self.admin.get("/api/secrets")).json()["items"]
        return [item["name"] for item in items if owner.items() <= item.items()]

    async def of(self, **bounds: Any) -> httpx.AsyncClient:
        """Who comes with a token that is bound like this."""
        scopes = ["secrets:write", "hooks:write"]
        made = await self.admin.post("/api/tokens", json={"name": "bound", "scopes": scopes, **bounds})
        return client(str(self.admin.base_url), made.json()["token"])


def client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    )


@asynccontextmanager
async def asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *hooks: Mapping[str, Any]
) -> AsyncIterator[Asked]:
    monkeypatch.setenv("HOOKENGINE_MAIN_TOKEN", OPERATOR)
    config = a_config(
        *hooks,
        auth={"enabled": True, "tokens": {"main": {"env": "HOOKENGINE_MAIN_TOKEN"}}},
        pipeline={"team": "shop"},
    )
    config["pipelines"].append({"id": 2, "name": "of others", "team": "till"})
    config["secrets"]["board"] = {"stored": True}
    receiver, clock = Receiver(), SystemClock()  # independent receivers go by the real time
    async with target(receiver) as url, opened(folder, config, clock) as engine:  # type: ignore[arg-type]
        with listening("127.0.0.1", 0) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with answering(engine.engine.web(), listener), client(address, OPERATOR) as admin:
                yield Asked(engine=engine, admin=admin, receiver=receiver, target=url)


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("*.db*"))


async def test_a_secret_that_is_put_is_sent_from_then_on_and_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = [{"name": "x-board", "value": BOARD}]
    async with asked(tmp_path, monkeypatch) as it:
        hook = await it.new_hook(settings={"request_headers": headers, "request_body": {"a": 1}})
        seen, answers = [], []
        for number, (query, value) in enumerate(
            (("", FIRST), ("?pipeline=1", SECOND), (f"?hook={hook}", "3rd-one"))
        ):
            answers.append(
                await it.admin.put(
                    f"/api/secrets/board{query}", json={"value": value, "hosts": ["127.0.0.1"]}
                )
            )
            seen.append(dict((await it.sent(number + 1)).headers)["x-board"])
        listed = await it.admin.get("/api/secrets")
        gone = await it.admin.delete(f"/api/secrets/board?hook={hook}")
        again = await it.admin.delete(f"/api/secrets/board?hook={hook}")
        seen.append(dict((await it.sent(9)).headers)["x-board"])

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert seen == [FIRST, SECOND, "3rd-one", SECOND]
    assert (gone.status_code, gone.content, again.status_code) == (204, b"", 404)
    owners = [(item["name"], item["pipeline"], item["hook"]) for item in listed.json()["items"]]
    assert owners == [("board", None, None), ("board", None, hook), ("board", 1, None)]
    assert {tuple(item["hosts"]) for item in listed.json()["items"]} == {("127.0.0.1",)}
    for value in (FIRST, SECOND, "3rd-one"):
        assert value not in listed.text + "".join(answer.text for answer in answers)
        assert value.encode() not in everything_in(tmp_path)


async def test_what_cannot_be_put_is_told_by_field_without_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(tmp_path, monkeypatch) as it:
        good = {"value": FIRST}
        answers = {
            field: await it.admin.put(f"/api/secrets/{path}", json=document)
            for field, path, document in (
                ("name", "not-a-name", good),
                ("hosts", "board", {**good, "hosts": ["https://a"]}),
                ("value", "board", {"value": " \n"}),
                ("hook", "board?pipeline=1&hook=x", good),
                ("pipeline", "board?pipeline=0", good),
                ("nobodys", "board", {**good, "nobodys": 1}),
            )
        }
        nobodys = [
            await it.admin.put(f"/api/secrets/board?{query}", json=good)
            for query in ("pipeline=77", "hook=x")
        ]
        listed = await it.names()

    assert {field: answer.status_code for field, answer in answers.items()} == dict.fromkeys(answers, 422)
    assert [list(answer.json()["errors"]) for answer in answers.values()] == [[field] for field in answers]
    assert [answer.status_code for answer in nobodys] == [404, 404]
    assert FIRST not in "".join(answer.text for answer in answers.values())
    assert listed == []


async def test_a_bound_token_reaches_the_secrets_of_its_own_pipelines_and_hooks_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(tmp_path, monkeypatch) as it:
        own, others = await it.new_hook(), await it.new_hook(pipeline=2)
        everybodys = await it.new_hook(pipeline=None)
        for query in ("", "?pipeline=2", f"?hook={others}", f"?hook={everybodys}"):
            await it.admin.put(f"/api/secrets/board{query}", json={"value": FIRST})
        for bounds in ({"team": "shop"}, {"pipeline": 1}):
            async with await it.of(**bounds) as bound:
                mine = ["board?pipeline=1", f"board?hook={own}"]
                not_mine = ["board?pipeline=2", f"board?hook={others}", f"board?hook={everybodys}", "board"]
                put = [await bound.put(f"/api/secrets/{path}", json={"value": SECOND}) for path in mine]
                refused = [
                    await bound.put(f"/api/secrets/{path}", json={"value": SECOND}) for path in not_mine
                ]
                refused += [await bound.delete(f"/api/secrets/{path}") for path in not_mine]
                refused += [
                    await bound.post(f"/api/hooks/{each}/signing-secret") for each in (others, everybodys)
                ]
                listed = (await bound.get("/api/secrets")).json()["items"]
                dropped = [await bound.delete(f"/api/secrets/{path}") for path in mine]

            assert [answer.status_code for answer in put] == [200, 200]
            assert [answer.status_code for answer in refused] == [404, 404, 404, 403] * 2 + [404, 404]
            assert {(item["pipeline"], item["hook"]) for item in listed} == {(1, None), (None, own)}
            assert [answer.status_code for answer in dropped] == [204, 204]
        assert len(await it.names(name="board")) == 4


async def test_secrets_need_a_scope_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asked(tmp_path, monkeypatch) as it:
        scopes = ["hooks:write", "deliveries:replay", "emit"]
        made = await it.admin.post("/api/tokens", json={"name": "writer", "scopes": scopes})
        async with client(str(it.admin.base_url), made.json()["token"]) as writer:
            answers = [
                await writer.get("/api/secrets"),
                await writer.put("/api/secrets/board", json={"value": FIRST}),
                await writer.delete("/api/secrets/board"),
            ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert "secrets:write" in answers[0].json()["message"]


async def test_a_hook_signs_with_a_secret_that_is_made_for_it_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(tmp_path, monkeypatch) as it:
        hook = await it.new_hook()
        unsigned = await it.sent(1)
        first = await it.renewed(hook)
        one = await it.sent(2)
        second = await it.renewed(hook)
        two = await it.sent(3)
        third = await it.renewed(hook)
        three = await it.sent(4)
        kept = await it.names(hook=hook)
        shown = await it.admin.get(f"/api/hooks/{hook}")
        renamed = await it.admin.patch(f"/api/hooks/{hook}", json={"name": "renamed"})
        still = await it.sent(5)
        ended = await it.admin.delete(f"/api/hooks/{hook}/signing-secret")
        none = await it.sent(6)
        left = await it.names(hook=hook)

    assert "webhook-signature" not in dict(unsigned.headers)
    assert verified(one, first)
    assert [verified(two, secret) for secret in (first, second, third)] == [True, True, False]
    assert [verified(three, secret) for secret in (first, second, third)] == [False, True, True]
    assert dict(three.headers)["webhook-signature"].count("v1,") == 2
    assert (renamed.status_code, verified(still, third)) == (200, True)
    assert set(kept) == set(shown.json()["signing"]["secrets"])
    assert (len(kept), ended.status_code, left) == (2, 204, [])
    assert not {"webhook-signature", "webhook-timestamp"} & set(dict(none.headers))
    for secret in (first, second, third):
        assert secret not in shown.text
        assert secret.encode() not in everything_in(tmp_path)


async def test_what_a_hook_was_signed_with_by_name_signs_beside_the_new_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = new_signing_secret()
    async with asked(tmp_path, monkeypatch) as it:
        await it.admin.put("/api/secrets/board", json={"value": named})
        hook = await it.new_hook(signing="board")
        fresh = await it.renewed(hook)
        request = await it.sent(1)

    assert [verified(request, secret) for secret in (named, fresh)] == [True, True]


async def test_a_hook_that_went_to_another_host_signs_again_once_it_has_a_new_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(tmp_path, monkeypatch) as it:
        hook = await it.new_hook(target_url="http://127.0.0.1:18099/elsewhere")
        lost = await it.renewed(hook)
        await it.admin.patch(f"/api/hooks/{hook}", json={"target_url": it.target})
        left = await it.names(hook=hook)
        fresh = await it.renewed(hook)
        request = await it.sent(1)

    assert left == []
    assert [verified(request, secret) for secret in (lost, fresh)] == [False, True]


async def test_commit_status_calls_and_what_files_manage_get_no_signing_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_file = a_hook("http://127.0.0.1:18099/of-file", "action.failed", id="of-file", name="of the file")
    async with asked(tmp_path, monkeypatch, of_file) as it:
        plain = a_hook("http://127.0.0.1:18099/repos/a/b/statuses/{{ action.id }}", name="plain")
        preset = GITHUB.preset_hook("http://127.0.0.1:18099", name="preset")
        preset["with"] = {**preset["with"], "token": None, "target_url": None}
        refused = []
        for document in (plain, preset):
            made = await it.admin.post("/api/hooks", json={**document, "pipeline": 1})
            assert made.status_code == 201, made.text
            refused.append(await it.admin.post(f"/api/hooks/{made.json()['id']}/signing-secret"))
        managed = [
            await it.admin.post("/api/hooks/of-file/signing-secret"),
            await it.admin.delete("/api/hooks/of-file/signing-secret"),
        ]
        taken_over = await it.admin.post("/api/hooks/of-file/signing-secret?force=true")
        nobodys = await it.admin.post("/api/hooks/nobodys/signing-secret")
        kept = await it.names(hook="of-file")

    assert [answer.status_code for answer in refused] == [422, 422]
    assert "never signed" in refused[0].json()["errors"]["signing"][0]
    assert [answer.status_code for answer in managed] == [409, 409]
    assert (taken_over.status_code, nobodys.status_code, len(kept)) == (200, 404, 1)
