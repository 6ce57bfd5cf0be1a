"""The figures: what the engine's signals come to, and what its store and worker say of themselves."""

from __future__ import annotations

from hookengine.metrics.exposition import Exposition
from hookengine.metrics.tallies import Tallies

__all__ = ["Exposition", "Tallies"]
