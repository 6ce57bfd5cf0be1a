"""THE EARS: what other systems report, in their own shapes, becomes events. One table per system."""

from __future__ import annotations

from hookengine.sources.hearing import Hearing, Setup, Taken

__all__ = ["Hearing", "Setup", "Taken"]
