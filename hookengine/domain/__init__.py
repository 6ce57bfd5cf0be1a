"""THE WORDS: values and rules, without I/O."""

from __future__ import annotations
