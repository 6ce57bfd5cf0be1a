"""THE WISH: YAML documents and presets become checked hooks."""

from __future__ import annotations
