"""THE STAGE: stand-ins of the hosts that enforce their documented rules."""

from __future__ import annotations
