from __future__ import annotations

import pytest

from hookengine.domain.hook import LanePolicy
from tests.unit.domain.one_lane import OneLane


@pytest.fixture
def latest() -> OneLane:
    return OneLane(LanePolicy.LATEST)


@pytest.fixture
def ordered() -> OneLane:
    return OneLane(LanePolicy.ORDERED)
