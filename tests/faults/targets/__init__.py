"""Receivers on real sockets: honest ones, and ones that do what hosts do on bad days."""

from __future__ import annotations

from tests.faults.targets.behaviour import (
    APPLY_THEN_DROP,
    GONE,
    HANG,
    HONEST,
    RESET_AFTER_READING,
    RESET_AT_ONCE,
    RETRY_AFTERS,
    Behaviour,
    Rule,
    answer,
    apply_late,
    drip,
    retry_after,
    slow,
)
from tests.faults.targets.journal import read
from tests.faults.targets.target import AnyTarget, Target, TargetProcess

__all__ = [
    "APPLY_THEN_DROP",
    "GONE",
    "HANG",
    "HONEST",
    "RESET_AFTER_READING",
    "RESET_AT_ONCE",
    "RETRY_AFTERS",
    "AnyTarget",
    "Behaviour",
    "Rule",
    "Target",
    "TargetProcess",
    "answer",
    "apply_late",
    "drip",
    "read",
    "retry_after",
    "slow",
]
