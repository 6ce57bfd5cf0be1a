"""THE MEMORY: what was accepted, what is owed, what was tried."""

from __future__ import annotations
