"""What the operator allows hooks: where requests may go, and what may travel with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hookengine.guard.address import AddressPolicy
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import NAMED, provider_hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """They are judged when a hook is prepared; what goes over the wire is judged there once more.

    `addresses` None: hosts are only read, not judged. `host_values` are the hosts that a value may name in a
    URL. `audiences` are the hosts of each named secret, None if they are not known; `context_paths` and
    `context_hosts` say the same of secrets that come with events. `in_bodies` are the named secrets that
    any hook may put into a body.
    """

    addresses: AddressPolicy | None = None
    host_values: frozenset[str] = frozenset()
    audiences: Mapping[str, frozenset[str]] | None = None
    context_paths: SecretPaths = field(default_factory=SecretPaths)
    context_hosts: frozenset[str] = frozenset()
    in_bodies: frozenset[str] = frozenset()

    def is_secret(self, path: str) -> bool:
        """Whether this variable of a template is one: `secrets.NAME`, or a path that secrets come at."""
        return path.startswith(NAMED) or self.context_paths.cover(path)

    def refusal(self, path: str, host: str) -> tuple[str, str] | None:
        """Why the secret at this path may not go to the host, and how to allow it; None if it may, or if nobody
        knows yet: whose token a source provider's is, the event tells.
        """
        if self.audiences is None:
            return None
        name = path.removeprefix(NAMED)
        if name == path:
            hosts, setting = self.context_hosts | provider_hosts(path, ""), "secrets.context_hosts"
        elif name in self.audiences:
            hosts, setting = self.audiences[name], f"{path}.hosts"
        else:
            return None
        return (
            None
            if host in hosts
            else (f"{path} may not go to {host}", f"if it should, add {host} to {setting}")
        )
