"""A hook and what templates see become a delivery that is owed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hookengine.domain.context import Context
from hookengine.domain.hook import Hook
from hookengine.domain.request import SecretRef
from hookengine.engine.catalogue import Catalogue
from hookengine.engine.lanes import account_of, host_of, lane_of
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
    view: Context,
    action: ActionKey,
    delivery_id: str,
) -> OwedDelivery:
    """A hook whose templates cannot be rendered does not fail the event: the failure is what is owed."""
    if own := secrets.refs_of(hook.id):
        view = {**view, "secrets": {**view["secrets"], **own}}
    owed = {"id": delivery_id, "hook_id": hook.id, "hook_revision": hook.revision}
    try:
        rendered = catalogue.prepared(hook).render(view)
    except TemplateError as error:
        return OwedDelivery(**owed, unrenderable=str(error))  # type: ignore[arg-type]
    key, policy = lane_of(hook, rendered, action, delivery_id)
    host = host_of(rendered.request.url)
    return OwedDelivery(
        **owed,  # type: ignore[arg-type]
        lane_key=key,
        policy=policy,
        request=rendered.request,
        host=host,
        account=account_of(rendered.request, host, hook.id),
        rate=hook.rate,
    )
