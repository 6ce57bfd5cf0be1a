"""Harness SEI's (formerly Propelo's) custom CI/CD.

Rules: its page on custom CI/CD. What it answers is not documented, so the shapes of answers are guessed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from hookengine.simulators.host import Host, wall_clock
from hookengine.simulators.records import Place, Received, Reply

PATH = re.compile(r"(/[^/]+)*/v1/custom-cicd")
GUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
RESULTS = frozenset({"SUCCESS", "FAILURE"})
FIRST_MILLISECONDS = 1_000_000_000_000
REQUIRED: Mapping[str, type] = {
    "pipeline": str,
    "job_full_name": str,
    "qualified_name": str,
    "instance_name": str,
    "instance_guid": str,
    "start_time": int,
    "duration": int,
    "result": str,
}
OPTIONAL: Mapping[str, type] = {
    "user_id": str,
    "job_run_params": list,
    "scm_commit_ids": list,
    "repo_url": str,
    "build_number": int,
    "instance_url": str,
    "job_run": dict,
    "module_name": str,
    "ci": bool,
    "cd": bool,
    "artifacts": list,
    "trigger_chain": list,
    "branch_name": str,
    "project_name": str,
    "execution_id": str,
    "cfr_status": bool,
    "themes": list,
    "web_url": str,
}
WRAPPER = frozenset({"request_type", "payload"})


class HarnessSei(Host):
    """Takes finished runs, flat or wrapped in `request_type` and `payload`, strictly by the field table.

    A POST of `{integration_id, name, type}` registers an instance and answers its `id`; with `instances`, runs of
    unknown ones are refused.
    """

    name = "Harness SEI"
    api = "/v1"
    schemes = ("bearer", "apikey")

    def __init__(
        self,
        *,
        tokens: Collection[str],
        commits: Collection[str] | None = None,
        clock: Callable[[], int] = wall_clock,
        instances: Collection[str] | None = None,
    ) -> None:
        super().__init__(tokens=tokens, commits=commits, clock=clock)
        self._instances = None if instances is None else set(instances)
        self.runs: list[Mapping[str, Any]] = []

    def answer(self, received: Received) -> Reply:
        if self.credential(received) not in self.tokens:
            return _told(401, "Unauthorized")
        if not PATH.fullmatch(received.path):
            return _told(404, "Not Found")
        if received.method != "POST":
            return _told(405, "Method Not Allowed")
        if not received.headers.get("content-type", "").startswith("application/json"):
            return _told(415, "Content type must be application/json")
        try:
            body = received.json()
        except ValueError:
            return _told(400, "Malformed JSON")
        if not isinstance(body, dict):
            return _told(400, "The body is not an object")
        if {"integration_id", "name", "type"} <= body.keys():
            return self._register(body)
        run = body.get("payload") if body.keys() == WRAPPER else body
        if errors := _errors(run):
            return _told(400, "; ".join(errors))
        return self._take(run)

    def _register(self, body: Mapping[str, Any]) -> Reply:
        made = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{body['integration_id']}/{body['name']}"))
        if self._instances is not None:
            self._instances.add(made)
        return Reply(status=200, body={"id": made, "name": body["name"]})

    def _take(self, run: Any) -> Reply:
        if self._instances is not None and run["instance_guid"] not in self._instances:
            return _told(404, f"There is no CI/CD instance {run['instance_guid']}")
        self.runs.append(run)
        commits = run.get("scm_commit_ids") or [""]
        place = Place(run["instance_name"], str(commits[0]), run["job_full_name"])
        self.show(place, state=run["result"], description=None, url=run.get("web_url"))
        return Reply(status=200, body={"id": run.get("execution_id") or str(len(self.runs))})


def _errors(run: Any) -> list[str]:
    if not isinstance(run, dict):
        return ["payload is not an object"]
    errors = [f"{name} is required" for name in REQUIRED if run.get(name) in (None, "")]
    for name, kind in {**REQUIRED, **OPTIONAL}.items():
        if run.get(name) is not None and type(run[name]) is not kind:
            errors.append(f"{name} is not {kind.__name__}")
    if errors:
        return errors
    if not GUID.fullmatch(run["instance_guid"]):
        errors.append("instance_guid is not a UUID")
    if run["start_time"] < FIRST_MILLISECONDS:
        errors.append("start_time is not in milliseconds since the epoch")
    if run["duration"] < 0:
        errors.append("duration is negative")
    if run["result"] not in RESULTS:
        errors.append("result is neither SUCCESS nor FAILURE")
    if run.get("ci") is not None and run.get("ci") == run.get("cd"):
        errors.append("one of ci and cd is true and the other false")
    return errors


def _told(status: int, message: str) -> Reply:
    return Reply(status=status, body={"status": status, "message": message})
