"""THE FLOW: an event becomes requests owed, and requests owed become attempts."""

from __future__ import annotations
