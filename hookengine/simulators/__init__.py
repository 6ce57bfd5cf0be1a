"""THE STAGE: stand-ins of the hosts that enforce their documented rules."""

from __future__ import annotations

from collections.abc import Mapping

from hookengine.simulators.azure_devops import AzureDevOps
from hookengine.simulators.bitbucket import Bitbucket
from hookengine.simulators.bitbucket_datacenter import BitbucketDataCenter
from hookengine.simulators.cdevents import CDEventsReceiver
from hookengine.simulators.gitea import Forgejo, Gitea
from hookengine.simulators.github import GitHub
from hookengine.simulators.gitlab import GitLab
from hookengine.simulators.harness_sei import HarnessSei
from hookengine.simulators.host import Host
from hookengine.simulators.ilert import Ilert
from hookengine.simulators.limits import Limit
from hookengine.simulators.receiver import Receiver
from hookengine.simulators.records import Place, Received, Shown
from hookengine.simulators.serving import serve
from hookengine.simulators.slack import Slack
from hookengine.simulators.teams import Teams

SIMULATORS: Mapping[str, type[Host]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "bitbucket": Bitbucket,
    "bitbucket_datacenter": BitbucketDataCenter,
    "gitea": Gitea,
    "forgejo": Forgejo,
    "azure_devops": AzureDevOps,
    "ilert": Ilert,
    "harness_sei": HarnessSei,
    "cdevents": CDEventsReceiver,
    "slack": Slack,
    "teams": Teams,
    "webhook": Receiver,
}
"""By the folder of templates that are for it."""

__all__ = [
    "SIMULATORS",
    "AzureDevOps",
    "Bitbucket",
    "BitbucketDataCenter",
    "CDEventsReceiver",
    "Forgejo",
    "GitHub",
    "GitLab",
    "Gitea",
    "HarnessSei",
    "Host",
    "Ilert",
    "Limit",
    "Place",
    "Received",
    "Receiver",
    "Shown",
    "Slack",
    "Teams",
    "serve",
]
