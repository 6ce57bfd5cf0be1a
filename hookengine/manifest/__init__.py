"""THE WISH: YAML documents and presets become checked hooks."""

from __future__ import annotations

from hookengine.manifest.document import Document, load
from hookengine.manifest.presets import Preset, Presets, shipped, shipped_presets
from hookengine.manifest.reading import read
from hookengine.manifest.wish import Manifest, with_keys

__all__ = [
    "Document",
    "Manifest",
    "Preset",
    "Presets",
    "load",
    "read",
    "shipped",
    "shipped_presets",
    "with_keys",
]
