"""What GitHub and GitLab have in common: names of refs, and commits that are none."""

from __future__ import annotations

from typing import Any

_NOTHING = frozenset("0")


def is_nothing(commit: Any) -> bool:
    """All zeros: what a ref that was deleted points to."""
    return isinstance(commit, str) and set(commit) == _NOTHING


def ref_names(ref: str) -> dict[str, str]:
    """The branch or tag that a full ref names."""
    for prefix, name in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if ref.startswith(prefix):
            return {name: ref.removeprefix(prefix)}
    return {}
