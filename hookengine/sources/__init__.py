"""THE EARS: what other systems report, in their own shapes, becomes events. One table per system."""

from __future__ import annotations

from hookengine.sources.hearing import ForeignRequest, Hearing, Registered, Setup, Taken

__all__ = ["ForeignRequest", "Hearing", "Registered", "Setup", "Taken"]
