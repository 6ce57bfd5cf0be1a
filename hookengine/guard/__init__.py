"""THE FENCE: what may be rendered, where it may go, and who may see a secret."""

from __future__ import annotations
