"""The secrets of a hook's own that sign what it sends: the newest and, while receivers change over, the one before."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Final

from hookengine.domain.hook import Signing, SigningScheme
from hookengine.domain.secret import StoredSecret, of_hook

_NAME: Final = re.compile(r"signature_[0-9a-f]{8}")


def new_name() -> str:
    """Another one each time: of two who renew at the same time one is told, and none has a secret that is not good."""
    return f"signature_{os.urandom(4).hex()}"


def signatures_of(hook_id: str, secrets: Iterable[StoredSecret]) -> tuple[StoredSecret, ...]:
    """Those of these that were made to sign what this hook sends."""
    owner = of_hook(hook_id)
    return tuple(secret for secret in secrets if secret.owner == owner and _NAME.fullmatch(secret.name))


def renewed(before: Signing | None, fresh: str, own: Collection[str]) -> Signing:
    """Standard Webhooks with the fresh secret first, and the newest before it if it is still there: of the hook's
    `own`, or one that it names of others'."""
    known = before.secrets if before is not None and before.scheme is SigningScheme.STANDARD else ()
    there = [name for name in known if name in own or not _NAME.fullmatch(name)]
    return Signing(secrets=(fresh, *there[:1]))
