"""Our own HTTP/1.1: requests go out over guarded connections that are kept, and every answer is bounded."""

from __future__ import annotations
