"""A hook and what templates see become the deliveries that are owed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hookengine.domain.context import Context
from hookengine.domain.hook import Hook
from hookengine.domain.request import SecretRef, address_of
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.lanes import account_of, lane_of
from hookengine.engine.rendering import Rendered
from hookengine.engine.snapshot import Snapshot
from hookengine.errors import TemplateError
from hookengine.store.calls import ActionKey, OwedDelivery


class OwnSecrets(Protocol):
    def refs_of(self, hook_id: str) -> Mapping[str, SecretRef]:
        """What `secrets.NAME` means in templates of this hook, beside those of its pipeline."""
        ...


def owe(
    catalogue: Catalogue,
    secrets: OwnSecrets,
    hook: Hook,
    taken: Snapshot,
    action: ActionKey,
    delivery_ids: Iterator[str],
) -> tuple[OwedDelivery, ...]:
    """One for each of its requests, in order. A hook whose templates cannot be rendered does not fail the event:
    the failure is what is owed, and nothing else.
    """
    view = _seen_by(hook, taken.view, secrets)
    parts = range(len(hook.before) + 1)
    try:
        prepared = catalogue.prepared(hook)
        rendered = [prepared.render_part(part, view, taken.size) for part in parts]
    except TemplateError as error:
        return (
            OwedDelivery(
                id=next(delivery_ids),
                hook_id=hook.id,
                hook_revision=hook.revision,
                part=parts[-1],
                unrenderable=str(error),
            ),
        )
    team = _team(catalogue, action)
    return tuple([_owed(hook, part, rendered[part], action, next(delivery_ids), team) for part in parts])


def owe_part(
    catalogue: Catalogue,
    secrets: OwnSecrets,
    hook: Hook,
    part: int,
    view: Context,
    action: ActionKey,
    delivery_id: str,
) -> OwedDelivery:
    """One of them, once more; if the hook has it no longer, its last. Raises TemplateError."""
    view = _seen_by(hook, view, secrets)
    part = min(part, len(hook.before))
    rendered = catalogue.prepared(hook).render_part(part, view)
    return _owed(hook, part, rendered, action, delivery_id, _team(catalogue, action))


def _seen_by(hook: Hook, view: Context, secrets: OwnSecrets) -> Context:
    """With its own secrets over those of its pipeline."""
    own = secrets.refs_of(hook.id)
    return {**view, "secrets": {**view["secrets"], **own}} if own else view


def _team(catalogue: Catalogue, action: ActionKey) -> str:
    """As it is defined: what templates see of a pipeline, an event may have brought."""
    pipeline = catalogue.find_pipeline(action[0])
    return "" if pipeline is None else pipeline.team


def _owed(
    hook: Hook, part: int, rendered: Rendered, action: ActionKey, delivery_id: str, team: str
) -> OwedDelivery:
    key, policy = lane_of(hook, rendered, action, delivery_id, team)
    host = address_of(rendered.request.url).host
    once = part < len(hook.before) and hook.before[part].once_per_lane
    return OwedDelivery(
        id=delivery_id,
        hook_id=hook.id,
        hook_revision=hook.revision,
        lane_key=key,
        policy=policy,
        request=rendered.request,
        host=host,
        account=account_of(rendered.request, host, hook.id),
        rate=hook.rate,
        part=part,
        provides=" ".join([capture.name for capture in hook.before[part].captures]) if once else "",
    )
