"""Everything a test of faults needs around the engine: see `play.Stage`."""

from __future__ import annotations

from tests.faults.stage.database import Database, SqliteFile
from tests.faults.stage.hatchery import Hatchery
from tests.faults.stage.node import Node
from tests.faults.stage.platform import happened
from tests.faults.stage.play import Stage

__all__ = ["Database", "Hatchery", "Node", "SqliteFile", "Stage", "happened"]
