"""/api/tokens: who may come in. For admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from hookengine.domain import views
from hookengine.domain.token import Scope
from hookengine.engine.token_desk import TokenDesk
from hookengine.web.api import reading_examples as examples
from hookengine.web.api.answers import body_example, failures, json_answer


class NewToken(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["deploy bot"])]
    scopes: Annotated[list[Scope], Field(min_length=1, examples=[["emit"]])]
    team: str | None = None
    pipeline: Annotated[int | None, Field(strict=True)] = None


class ToldToken(views.Token):
    """`token` is its text."""

    token: str


def tokens_router(desk: TokenDesk) -> APIRouter:
    router = APIRouter(prefix="/api/tokens", tags=["tokens"])

    @router.post(
        "",
        operation_id="create_token",
        openapi_extra=body_example(examples.ASK_TOKEN),
        status_code=201,
        responses={201: json_answer("The token", examples.NEW_TOKEN), **failures(422)},
    )
    async def create_token(new: NewToken) -> ToldToken:
        """`token` is its text, which is shown this once."""
        token, text = await desk.create(new.name, new.scopes, team=new.team, pipeline_id=new.pipeline)
        return {**token.shown(), "token": text}

    @router.get(
        "",
        operation_id="list_tokens",
        responses={200: json_answer("All of them", examples.TOKENS), **failures()},
    )
    async def list_tokens() -> views.ListOf[views.Token]:
        """The oldest first; those of the configuration file are not among them."""
        return {"items": [token.shown() for token in await desk.list()], "next": None}

    @router.delete(
        "/{token_id}",
        operation_id="revoke_token",
        status_code=204,
        responses={204: {"description": "It is gone"}, **failures(404, 422)},
    )
    async def revoke_token(token_id: str) -> None:
        """It lets nobody in any more."""
        await desk.revoke(token_id)

    return router
