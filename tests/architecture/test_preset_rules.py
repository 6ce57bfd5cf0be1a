from __future__ import annotations

import pytest

from hookengine.domain.attempt import Answered
from hookengine.domain.response import Ruling, rule_for
from hookengine.manifest import Presets

PRESETS = Presets()
STATUSES = [name for name in PRESETS.names if name.endswith("/commit-status")]


def answer(status: int, body: str = "", **headers: str) -> Answered:
    return Answered(
        status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


TRANSITION = '{{"message":"Cannot transition status via :{} from :{} (Reason(s): Status cannot ...)"}}'
GITHUB, GITLAB = "github/commit-status", "gitlab/commit-status"
BITBUCKET, DATACENTER = "bitbucket/commit-status", "bitbucket_datacenter/commit-status"
GITEA, FORGEJO, AZURE = "gitea/commit-status", "forgejo/commit-status", "azure_devops/commit-status"
HARNESS, SLACK, TEAMS = "harness_sei/run", "slack/message", "teams/message"
ILERT = "ilert/deployment-event"
CDEVENTS, WEBHOOK = "cdevents/pipeline-run", "webhook/signed-json"


def slack_error(error: str) -> Answered:
    return answer(200, f'{{"ok":false,"error":"{error}"}}')


@pytest.mark.parametrize(
    ("name", "answered", "ruling", "because"),
    [
        (GITHUB, answer(201), Ruling.SUCCESS, ""),
        (GITHUB, answer(403, x_ratelimit_remaining="0"), Ruling.RETRY, "rate limit"),
        (GITHUB, answer(403, x_ratelimit_remaining="10"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(403, retry_after="30"), Ruling.RETRY, "later"),
        (GITHUB, answer(403, "You have exceeded a secondary rate limit"), Ruling.RETRY, "secondary"),
        (GITHUB, answer(429, "abuse detection mechanism"), Ruling.RETRY, "secondary"),
        (GITHUB, answer(429), Ruling.RETRY, "rate limit"),
        (GITHUB, answer(403, "Resource not accessible by integration"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(401), Ruling.PERMANENT, "token"),
        (GITHUB, answer(404, "Not Found"), Ruling.PERMANENT, "scope"),
        (GITHUB, answer(422, "No commit found for SHA: abc"), Ruling.RETRY, "commit"),
        (
            GITHUB,
            answer(422, "This SHA and context has reached the maximum number of statuses."),
            Ruling.PERMANENT,
            "1000",
        ),
        (GITHUB, answer(422, "Validation Failed"), Ruling.PERMANENT, ""),
        (GITHUB, answer(301), Ruling.PERMANENT, "renamed"),
        (GITHUB, answer(502), Ruling.RETRY, ""),
        (GITLAB, answer(201), Ruling.SUCCESS, ""),
        (GITLAB, answer(400, TRANSITION.format("enqueue", "pending")), Ruling.SUCCESS, "this state already"),
        (GITLAB, answer(400, TRANSITION.format("enqueue", "running")), Ruling.SUCCESS, "a newer state"),
        (GITLAB, answer(400, TRANSITION.format("run", "running")), Ruling.SUCCESS, "this state already"),
        (GITLAB, answer(400, TRANSITION.format("skip", "running")), Ruling.PERMANENT, "state"),
        (GITLAB, answer(400, TRANSITION.format("run", "success")), Ruling.PERMANENT, "state"),
        (GITLAB, answer(400, "description is too long"), Ruling.PERMANENT, ""),
        (GITLAB, answer(409, "Another update to this commit status is in progress"), Ruling.RETRY, "written"),
        (GITLAB, answer(429, "Retry later"), Ruling.RETRY, "rate limit"),
        (GITLAB, answer(403), Ruling.PERMANENT, "scope"),
        (GITLAB, answer(404, "404 Project Not Found"), Ruling.RETRY, "scope"),
        (GITLAB, answer(422, "The number of jobs has exceeded the limit"), Ruling.PERMANENT, "full"),
        (BITBUCKET, answer(201), Ruling.SUCCESS, ""),
        (
            BITBUCKET,
            answer(429, "Rate limit for this resource has been exceeded"),
            Ruling.RETRY,
            "rate limit",
        ),
        (BITBUCKET, answer(400), Ruling.PERMANENT, "field"),
        (BITBUCKET, answer(403), Ruling.PERMANENT, "scope"),
        (BITBUCKET, answer(404), Ruling.RETRY, "scope"),
        (DATACENTER, answer(204), Ruling.SUCCESS, ""),
        (DATACENTER, answer(400, "ref must begin with refs/"), Ruling.PERMANENT, "field"),
        (DATACENTER, answer(401), Ruling.PERMANENT, "scope"),
        (DATACENTER, answer(404), Ruling.RETRY, "scope"),
        (DATACENTER, answer(429, retry_after="5"), Ruling.RETRY, "rate limit"),
        (GITEA, answer(201), Ruling.SUCCESS, ""),
        (
            GITEA,
            answer(403, "token does not have at least one of required scope(s)"),
            Ruling.PERMANENT,
            "scope",
        ),
        (GITEA, answer(404, "object does not exist"), Ruling.RETRY, "scope"),
        (GITEA, answer(500, "object does not exist"), Ruling.RETRY, "commit"),
        (FORGEJO, answer(401), Ruling.PERMANENT, "token"),
        (FORGEJO, answer(404), Ruling.RETRY, "scope"),
        (AZURE, answer(201), Ruling.SUCCESS, ""),
        (AZURE, answer(203, "<html>Sign In"), Ruling.PERMANENT, "sign in"),
        (AZURE, answer(302), Ruling.PERMANENT, "sign in"),
        (AZURE, answer(403), Ruling.PERMANENT, "scope"),
        (AZURE, answer(404), Ruling.RETRY, "scope"),
        (AZURE, answer(429), Ruling.RETRY, "rate limit"),
        (AZURE, answer(503, "TF400733: The request has been canceled"), Ruling.RETRY, "rate limit"),
        (HARNESS, answer(200), Ruling.SUCCESS, ""),
        (HARNESS, answer(400), Ruling.PERMANENT, "field"),
        (HARNESS, answer(403), Ruling.PERMANENT, "scope"),
        (ILERT, answer(202), Ruling.SUCCESS, ""),
        (ILERT, answer(429, '{"code":"TOO_MANY_REQUESTS"}'), Ruling.RETRY, "rate limit"),
        (ILERT, answer(400), Ruling.PERMANENT, "field"),
        (ILERT, answer(404), Ruling.PERMANENT, "integration key"),
        (SLACK, answer(200, '{"ok":true,"ts":"1.2"}'), Ruling.SUCCESS, ""),
        (SLACK, answer(429, '{"ok":false,"error":"ratelimited"}'), Ruling.RETRY, "rate limit"),
        (SLACK, slack_error("ratelimited"), Ruling.RETRY, "rate limit"),
        (SLACK, slack_error("internal_error"), Ruling.RETRY, "fault"),
        (SLACK, slack_error("missing_scope"), Ruling.PERMANENT, "scope"),
        (SLACK, slack_error("invalid_auth"), Ruling.PERMANENT, "token"),
        (SLACK, slack_error("not_in_channel"), Ruling.PERMANENT, "member"),
        (SLACK, slack_error("no_text"), Ruling.PERMANENT, "says why"),
        (TEAMS, answer(202), Ruling.SUCCESS, ""),
        (TEAMS, answer(401), Ruling.PERMANENT, "signature"),
        (TEAMS, answer(413), Ruling.PERMANENT, "28 KB"),
        (TEAMS, answer(200, "endpoint returned HTTP error 429"), Ruling.RETRY, "could not post"),
        (TEAMS, answer(200, "endpoint returned HTTP error 403"), Ruling.PERMANENT, "refuses"),
        (CDEVENTS, answer(202), Ruling.SUCCESS, ""),
        (CDEVENTS, answer(409), Ruling.SUCCESS, "already"),
        (CDEVENTS, answer(403), Ruling.PERMANENT, "scope"),
        (WEBHOOK, answer(204), Ruling.SUCCESS, ""),
        (WEBHOOK, answer(409), Ruling.SUCCESS, "already"),
        (WEBHOOK, answer(401), Ruling.PERMANENT, "signature"),
    ],
)
def test_the_rules_of_a_preset_know_the_answers_of_its_host(
    name: str, answered: Answered, ruling: Ruling, because: str
) -> None:
    rule = rule_for(answered, PRESETS.responses(name))

    assert rule.then is ruling
    assert because in rule.because


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize(("status", "body"), [(404, "Not Found"), (422, "No commit found for SHA: abc")])
def test_a_commit_that_is_not_there_is_looked_for_a_few_times_at_most(
    name: str, status: int, body: str
) -> None:
    rule = rule_for(answer(status, body), PRESETS.responses(name))

    assert rule.then is Ruling.PERMANENT or (rule.tries is not None and rule.tries <= 5)


@pytest.mark.parametrize("name", PRESETS.names)
def test_a_rate_limit_that_names_no_time_is_respected_for_ten_seconds_at_least(name: str) -> None:
    rule = rule_for(answer(429), PRESETS.responses(name))

    assert rule.then is Ruling.RETRY
    assert name.startswith(("gitea", "forgejo")) or (rule.after or 0) >= 10_000
