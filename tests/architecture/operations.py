"""What the operations that presets call take: facts from their official descriptions, and a check of requests.

Sources: GitHub's REST description (repos/create-commit-status, create-deployment,
create-deployment-status), GitLab's API docs (commit status), Bitbucket
Cloud's swagger (commit statuses), Bitbucket Data Center 9.4 (operation `add`), Gitea 1.27 and Forgejo 16
(`repoCreateStatus`), Azure DevOps 7.1 (create a commit status), ilert's OpenAPI (deployment events), Harness
SEI's page on custom CI/CD, CDEvents 0.5.1, Slack's chat.postMessage, and the adaptive cards of Teams.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hookengine.domain.request import RenderedRequest

WEB_ADDRESS = r"https?://[^/\s]+\S*"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"
GUID = r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
SHA = r"([0-9a-f]{40}|[0-9a-f]{64})"


@dataclass(frozen=True, kw_only=True)
class Field:
    kind: type | tuple[type, ...] = str
    required: bool = False
    one_of: tuple[object, ...] = ()
    longest: int | None = None
    pattern: str = ""
    least: int | None = None
    inside: Mapping[str, Field] | None = None  # of an object, or of each member of a list


Fields = Mapping[str, Field]


@dataclass(frozen=True, kw_only=True)
class Operation:
    url: str
    body: Fields
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


TEXT, TRUTH, OBJECTS = Field(), Field(kind=bool), Field(kind=list)
LINK = Field(pattern=WEB_ADDRESS)
BEARER = {"authorization": r"Bearer \S+"}


def _text(longest: int, *, required: bool = False) -> Field:
    return Field(longest=longest, required=required)


def _state(*words: str) -> Field:
    return Field(required=True, one_of=words)


_GITEA = Operation(
    url=rf"https://(gitea|forgejo)\.example/api/v1/repos/acme/shop/statuses/{SHA}",
    headers={"authorization": r"token \S+"},
    body={
        "state": _state("pending", "success", "error", "failure", "warning", "skipped"),
        "context": TEXT,
        "description": TEXT,
        "target_url": LINK,
    },
)

_RUN: Fields = {
    "pipeline": Field(required=True),
    "job_full_name": Field(required=True),
    "qualified_name": Field(required=True),
    "instance_name": Field(required=True),
    "instance_guid": Field(required=True, pattern=GUID),
    "start_time": Field(kind=int, required=True, least=10**12),
    "duration": Field(kind=int, required=True, least=0),
    "result": _state("SUCCESS", "FAILURE"),
    "user_id": TEXT,
    "job_run_params": OBJECTS,
    "scm_commit_ids": OBJECTS,
    "repo_url": TEXT,
    "build_number": Field(kind=int),
    "instance_url": TEXT,
    "job_run": Field(kind=(dict, type(None))),
    "module_name": Field(kind=(str, type(None))),
    "ci": TRUTH,
    "cd": TRUTH,
    "artifacts": OBJECTS,
    "trigger_chain": OBJECTS,
    "branch_name": TEXT,
    "project_name": TEXT,
    "execution_id": TEXT,
    "cfr_status": TRUTH,
    "themes": OBJECTS,
    "web_url": TEXT,
}
_SEI = {"authorization": r"(ApiKey|Bearer) \S+"}
_SEI_URL = r"https://app\.harness\.io/prod1/sei/api/v1/custom-cicd"

_CD_TYPE = Field(required=True, pattern=r"dev\.cdevents\.pipelinerun\.(queued|started|finished)\.0\.3\.0")
_CD_CONTENT: Fields = {
    "pipelineName": Field(required=True),
    "uri": Field(required=True, pattern=WEB_ADDRESS),
    "outcome": Field(one_of=("success", "failure", "cancel", "error")),
    "errors": TEXT,
}
_CD_EVENT: Fields = {
    "context": Field(
        kind=dict,
        required=True,
        inside={
            "specversion": Field(required=True, pattern=r"0\.5\.1"),
            "id": Field(required=True),
            "source": Field(required=True),
            "type": _CD_TYPE,
            "timestamp": Field(required=True, pattern=MOMENT),
        },
    ),
    "subject": Field(
        kind=dict,
        required=True,
        inside={
            "id": Field(required=True),
            "content": Field(kind=dict, required=True, inside=_CD_CONTENT),
        },
    ),
}

OPERATIONS: Mapping[str, Operation] = {
    "github/commit-status": Operation(
        url=rf"https://api\.github\.com/repos/acme/shop/statuses/{SHA}",
        headers={**BEARER, "accept": r"application/vnd\.github\+json", "x-github-api-version": r"2022-11-28"},
        body={
            "state": _state("error", "failure", "pending", "success"),
            "target_url": LINK,
            "description": _text(140),
            "context": _text(255),
        },
    ),
    "gitlab/commit-status": Operation(
        url=rf"https://gitlab\.com/api/v4/projects/acme%2Fshop/statuses/{SHA}",
        headers=BEARER,
        body={
            "state": _state("pending", "running", "success", "failed", "canceled", "skipped"),
            "ref": _text(255),
            "name": _text(255),
            "target_url": Field(longest=255, pattern=WEB_ADDRESS),
            "description": _text(255),
            "coverage": Field(kind=float),
            "pipeline_id": Field(kind=int),
        },
    ),
    "bitbucket/commit-status": Operation(
        url=rf"https://api\.bitbucket\.org/2\.0/repositories/acme/shop/commit/{SHA}/statuses/build",
        headers=BEARER,
        body={
            "key": _text(40, required=True),
            "state": _state("INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"),
            "url": Field(required=True, longest=450, pattern=WEB_ADDRESS),
            "name": _text(255),
            "description": TEXT,
            "refname": TEXT,
        },
    ),
    "bitbucket_datacenter/commit-status": Operation(
        url=rf"https://bitbucket\.example/rest/api/latest/projects/ACME/repos/shop/commits/{SHA}/builds",
        headers=BEARER,
        body={
            "key": _text(255, required=True),
            "state": _state("CANCELLED", "FAILED", "INPROGRESS", "SUCCESSFUL", "UNKNOWN"),
            "url": Field(required=True, longest=450, pattern=WEB_ADDRESS),
            "name": _text(255),
            "description": TEXT,
            "ref": Field(longest=1024, pattern="refs/.*"),
            "buildNumber": _text(255),
        },
    ),
    "gitea/commit-status": _GITEA,
    "forgejo/commit-status": _GITEA,
    "azure_devops/commit-status": Operation(
        url=rf"https://dev\.azure\.com/acme/web/_apis/git/repositories/shop/commits/{SHA}/statuses\?api-version=7\.1",
        headers={"authorization": r"Basic \S+"},
        body={
            "state": _state("notSet", "pending", "succeeded", "failed", "error", "notApplicable"),
            "description": TEXT,
            "targetUrl": LINK,
            "context": Field(kind=dict, required=True, inside={"name": Field(required=True), "genre": TEXT}),
        },
    ),
    "github/deployment-status": Operation(
        url=r"https://api\.github\.com/repos/acme/shop/deployments/[0-9]+/statuses",
        headers=BEARER,
        body={
            "state": _state("error", "failure", "inactive", "in_progress", "queued", "pending", "success"),
            "target_url": LINK,
            "log_url": LINK,
            "description": _text(140),
            "environment": TEXT,
            "environment_url": LINK,
            "auto_inactive": TRUTH,
        },
    ),
    "ilert/deployment-event": Operation(
        url=r"https://api\.ilert\.com/api/deployment-events",
        body={
            "integrationKey": Field(required=True),
            "summary": _text(255, required=True),
            "timestamp": Field(kind=int, required=True, least=10**12),
            "userEmail": TEXT,
            "customDetails": Field(kind=dict),
            "links": Field(
                kind=list, inside={"href": Field(required=True, pattern=WEB_ADDRESS), "text": TEXT}
            ),
        },
    ),
    "harness_sei/run": Operation(url=_SEI_URL, headers=_SEI, body=_RUN),
    "harness_sei/run-wrapped": Operation(
        url=_SEI_URL,
        headers=_SEI,
        body={
            "request_type": Field(required=True),
            "payload": Field(kind=dict, required=True, inside=_RUN),
        },
    ),
    "cdevents/pipeline-run": Operation(
        url=r"https://events\.example/",
        headers={"content-type": r"application/cloudevents\+json.*"},
        body={
            "specversion": Field(required=True, pattern=r"1\.0"),
            "id": Field(required=True),
            "source": Field(required=True),
            "type": _CD_TYPE,
            "subject": TEXT,
            "time": Field(pattern=MOMENT),
            "datacontenttype": Field(one_of=("application/json",)),
            "data": Field(kind=dict, required=True, inside=_CD_EVENT),
        },
    ),
    "slack/message": Operation(
        url=r"https://slack\.com/api/chat\.postMessage",
        headers={**BEARER, "content-type": r"application/json.*"},
        body={"channel": Field(required=True), "text": _text(4000, required=True), "unfurl_links": TRUTH},
    ),
    "teams/message": Operation(
        url=r"https://flows\.example/workflows/.*",
        body={
            "type": _state("message"),
            "attachments": Field(
                kind=list,
                required=True,
                inside={
                    "contentType": _state("application/vnd.microsoft.card.adaptive"),
                    "content": Field(
                        kind=dict,
                        required=True,
                        inside={
                            "$schema": TEXT,
                            "type": _state("AdaptiveCard"),
                            "version": Field(required=True, pattern=r"1\.[0-6]"),
                            "body": Field(kind=list, required=True),
                            "actions": OBJECTS,
                        },
                    ),
                },
            ),
        },
    ),
    "webhook/signed-json": Operation(
        url=r"https://service\.example/deploys",
        body={
            "type": Field(required=True),
            "id": Field(required=True),
            "timestamp": Field(required=True, pattern=MOMENT),
            "action": Field(kind=dict, required=True),
            "pipeline": Field(kind=dict, required=True),
            "data": Field(kind=(dict, list)),
        },
    ),
}

BEFORE: Mapping[str, tuple[Operation, ...]] = {
    "github/deployment-status": (
        Operation(
            url=r"https://api\.github\.com/repos/acme/shop/deployments",
            headers=BEARER,
            body={
                "ref": _text(255, required=True),
                "task": TEXT,
                "auto_merge": TRUTH,
                "required_contexts": OBJECTS,
                "payload": Field(kind=(dict, str)),
                "environment": TEXT,
                "description": _text(140),
                "transient_environment": TRUTH,
                "production_environment": TRUTH,
            },
        ),
    ),
}
"""The operations of the requests that go before the last one."""


def mistakes(request: RenderedRequest, operation: Operation) -> list[str]:
    """Everything about a request that its operation does not take; secrets count as their names."""
    shown = request.shown()
    found = [] if shown["method"] == operation.method else [f"the method is {shown['method']}"]
    if not re.fullmatch(operation.url, shown["url"]):
        found.append(f"the address is {shown['url']}")
    headers = {header["name"].lower(): header["value"] for header in shown["headers"]}
    for name, pattern in operation.headers.items():
        if not re.fullmatch(pattern, headers.get(name, "")):
            found.append(f"the header {name} is {headers.get(name)!r}")
    return found + _in_object(json.loads(shown["body"]), operation.body, "body")


def _in_object(value: Mapping[str, Any], fields: Fields, at: str) -> list[str]:
    found = [f"{at} has no {name}" for name, one in fields.items() if one.required and name not in value]
    found += [f"{at}.{name} is not known" for name in value if name not in fields]
    for name in value.keys() & fields.keys():
        found += _in_field(value[name], fields[name], f"{at}.{name}")
    return found


def _in_field(value: Any, wanted: Field, at: str) -> list[str]:
    kinds = wanted.kind if isinstance(wanted.kind, tuple) else (wanted.kind,)
    if type(value) not in kinds:
        return [f"{at} is {type(value).__name__}"]
    found = []
    if wanted.required and value in ("", [], {}):
        found.append(f"{at} is empty")
    if wanted.one_of and value not in wanted.one_of:
        found.append(f"{at} is {value!r}")
    if wanted.longest is not None and len(value) > wanted.longest:
        found.append(f"{at} has {len(value)} characters")
    if wanted.pattern and not re.fullmatch(wanted.pattern, value):
        found.append(f"{at} is {value!r}")
    if wanted.least is not None and value < wanted.least:
        found.append(f"{at} is {value}")
    if wanted.inside is not None:
        for member in value if isinstance(value, list) else [value]:
            found += _in_object(member, wanted.inside, at)
    return found
