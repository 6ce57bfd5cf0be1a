"""To which hosts a secret may go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from hookengine.guard.vault.failing import SecretRefused

_PROVIDER: Final = "source_provider"
_SAYS_WHICH: Final = ("type", "provider", "kind", "code", "name", "host", "url")
"""Keys beside a provider's token that may tell whose it is, the plainest first."""

PROVIDER_HOSTS: Final[Mapping[str, frozenset[str]]] = {
    "github": frozenset({"api.github.com"}),
    "gitlab": frozenset({"gitlab.com"}),
    "bitbucket": frozenset({"api.bitbucket.org"}),
    "azure": frozenset({"dev.azure.com"}),
    "codeberg": frozenset({"codeberg.org"}),
}
"""Where the API of each public provider is; self-hosted ones are the operator's to name."""

_ALL: Final = frozenset().union(*PROVIDER_HOSTS.values())


def check_audience(name: str, hosts: Collection[str], host: str, *, setting: str) -> None:
    """Raises SecretRefused, which says which setting would allow it."""
    if host.lower() not in hosts:
        raise SecretRefused(f"{name} may not go to {host}; if it should, add {host} to {setting}")


def provider_of(path: str, beside: Mapping[str, Any]) -> str:
    """Whose token stands at `path`, going by what stands beside it; empty if it is no source provider's, or
    nobody can say."""
    if not _is_of_a_provider(path):
        return ""
    said = [value.lower() for key in _SAYS_WHICH if isinstance(value := beside.get(key), str)]
    return next((provider for text in said for provider in PROVIDER_HOSTS if provider in text), "")


def provider_hosts(path: str, provider: str) -> frozenset[str]:
    """Where the secret at `path` may go without being told. `provider` is what `provider_of` found."""
    if provider:
        return PROVIDER_HOSTS.get(provider, frozenset())
    return _ALL if _is_of_a_provider(path) else frozenset()


def _is_of_a_provider(path: str) -> bool:
    return _PROVIDER in path.split(".")[:-1]
