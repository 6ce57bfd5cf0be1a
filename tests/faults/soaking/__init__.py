"""A long run under random troubles: see `run.soak`."""

from __future__ import annotations

from tests.faults.soaking.plan import Plan
from tests.faults.soaking.run import Soaked, soak

__all__ = ["Plan", "Soaked", "soak"]
