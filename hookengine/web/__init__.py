"""THE DOORS: HTTP in."""

from __future__ import annotations
