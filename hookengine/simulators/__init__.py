"""THE STAGE: stand-ins of the hosts that enforce their documented rules."""

from __future__ import annotations

from hookengine.simulators.bitbucket import Bitbucket
from hookengine.simulators.github import GitHub
from hookengine.simulators.gitlab import GitLab
from hookengine.simulators.host import Host
from hookengine.simulators.records import Place, Received, Shown
from hookengine.simulators.serving import serve

__all__ = ["Bitbucket", "GitHub", "GitLab", "Host", "Place", "Received", "Shown", "serve"]
