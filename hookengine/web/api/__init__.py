"""Routes under /api, and the public URLs of incoming hooks."""

from __future__ import annotations
