"""The bounded dialect of Jinja: what a template may say, and how much work it may cause.

Nothing of Jinja's own runtime is reachable from a template. Every look-up, operator, filter and test of
a checked tree becomes a call of one of our own functions, which refuse what is not plain data and charge
for what they do; what has no such function cannot be written.
"""

from __future__ import annotations

from hookengine.guard.sandbox.budget import Run
from hookengine.guard.sandbox.program import Leaf, Program, Unit
from hookengine.guard.sandbox.source import Hole, Part, Read, Refusal
from hookengine.guard.sandbox.values import (
    NO_SEGMENT,
    EncodedText,
    JsonText,
    PathText,
    is_secret,
    secret_refusal,
    text,
    weigh,
)

__all__ = [
    "NO_SEGMENT",
    "EncodedText",
    "Hole",
    "JsonText",
    "Leaf",
    "Part",
    "PathText",
    "Program",
    "Read",
    "Refusal",
    "Run",
    "Unit",
    "is_secret",
    "secret_refusal",
    "text",
    "weigh",
]
