"""Pipelines as they are defined. The row of `definitions` is locked before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from hookengine.domain.clock import Millis
from hookengine.domain.definition import API, Kind, Note
from hookengine.domain.documents import pipeline_to_json
from hookengine.domain.pipeline import Pipeline
from hookengine.errors import ConfigError, Problem
from hookengine.store.cold.changes import is_open
from hookengine.store.cold.tables import ACTION, CONTEXT_SECRET, PIPELINE


def write(
    connection: Connection,
    pipelines: Sequence[Pipeline],
    managed_by: Mapping[tuple[Kind, int | str], str],
    now: Millis = 0,
) -> None:
    """Names that are free when all are written must have been seen to. `now` 0: when is not known."""
    known = set(connection.scalars(select(PIPELINE.c.id)))
    rows = [
        {**_values(pipeline), "managed_by": managed_by[Kind.PIPELINE, pipeline.id], "updated_at": now}
        for pipeline in pipelines
    ]
    changed = [row for row in rows if row["key"] in known]
    unnamed = uuid4().hex
    _update(  # so that two may swap their names
        connection, [{"key": row["key"], "name": f"?{row['key']} {unnamed}"} for row in changed]
    )
    _update(connection, changed)
    if new := [{**row, "created_at": now} for row in rows if row["key"] not in known]:
        connection.execute(insert(PIPELINE).values(id=bindparam("key")), new)


def define(
    connection: Connection, before: Pipeline | None, after: Pipeline, force: bool, now: Millis
) -> None:
    """Raises Outdated, ManagedElsewhere, and ConfigError for a name that another one has."""
    known, document = manager(connection, after), pipeline_to_json(after)
    earlier = None if before is None else pipeline_to_json(before)
    if not is_open(Kind.PIPELINE, after.id, known=known, before=earlier, after=document, force=force):
        return
    names = connection.execute(select(PIPELINE.c.id, PIPELINE.c.name))
    _check_name(after, {row.name: row.id for row in names})
    values = {**_values(after), "managed_by": API, "updated_at": now}
    if known is None:
        connection.execute(insert(PIPELINE).values(id=bindparam("key")), [{**values, "created_at": now}])
    else:
        _update(connection, [values])


def remove(connection: Connection, pipeline_id: int) -> None:
    """With the secrets that its events have brought. Its actions stay."""
    connection.execute(delete(CONTEXT_SECRET).where(CONTEXT_SECRET.c.pipeline_id == pipeline_id))
    connection.execute(delete(PIPELINE).where(PIPELINE.c.id == pipeline_id))


def manager(connection: Connection, pipeline: Pipeline) -> tuple[str, str] | None:
    """Its document and who manages it, None if it is not there."""
    row = connection.execute(
        select(PIPELINE.c.document, PIPELINE.c.managed_by).where(PIPELINE.c.id == pipeline.id)
    ).first()
    return None if row is None else (row.document, row.managed_by)


def free_id(connection: Connection) -> int:
    """One that neither a pipeline has nor, by what its actions tell, ever had."""
    highest = max(
        connection.scalar(select(func.max(PIPELINE.c.id))) or 0,
        connection.scalar(select(func.max(ACTION.c.pipeline_id))) or 0,
    )
    return highest + 1


def notes(connection: Connection, ids: Collection[int | str]) -> dict[int | str, Note]:
    columns = PIPELINE.c.id, PIPELINE.c.managed_by, PIPELINE.c.created_at, PIPELINE.c.updated_at
    rows = connection.execute(select(*columns).where(PIPELINE.c.id.in_(list(ids))))
    return {row[0]: Note(managed_by=row[1], created_at=row[2], updated_at=row[3]) for row in rows}


def _values(pipeline: Pipeline) -> dict[str, Any]:
    return {"key": pipeline.id, "name": pipeline.name, "document": pipeline_to_json(pipeline)}


def _update(connection: Connection, changes: Sequence[Mapping[str, Any]]) -> None:
    if changes:
        connection.execute(update(PIPELINE).where(PIPELINE.c.id == bindparam("key")), changes)


def _check_name(pipeline: Pipeline, owners: Mapping[str, int]) -> None:
    owner = owners.get(pipeline.name, pipeline.id)
    if owner != pipeline.id:
        message = (
            f"pipeline {owner} has the name {pipeline.name!r} already; give pipeline {pipeline.id} another"
        )
        raise ConfigError([Problem(message=message)])
