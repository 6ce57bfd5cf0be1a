from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hookengine import __version__
from hookengine.config import Settings, load_settings, read_config, settings_table
from hookengine.errors import ConfigError
from hookengine.manifest import load

SECRET = "ghp_a-value-nobody-may-see"
POSTGRES = "postgresql://user:password@host:5432/name"
IN_PERCENT = "a password's @ is written %40, : %3A, / %2F, ? %3F, # %23"


def settings(text: str = "", **environ: str) -> Settings:
    return load_settings(load(text), {f"HOOKENGINE_{name}": value for name, value in environ.items()})


def problems(text: str = "", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        settings(text, **environ)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_word_everything_has_its_default() -> None:
    found = settings()

    assert found == Settings().resolved(Path.cwd())
    assert (found.server.host, found.server.port, found.server.max_body) == ("127.0.0.1", 8730, 1 << 20)
    assert found.auth.enabled
    assert (found.delivery.connect_timeout, found.delivery.lease_margin) == (5000, 20_000)
    assert found.delivery.user_agent == f"hookengine/{__version__}"
    assert found.retention.delivered == 30 * 86_400_000
    assert found.secrets.names == frozenset()
    assert "**.access_token" in found.secrets.context_paths


def test_the_environment_wins_over_the_file() -> None:
    found = settings(
        "server: {host: '::1', port: 1}\ndelivery: {allow_hosts: [a.example]}\ndatabase: sqlite:///x.db\n",
        SERVER__PORT="2",
        DELIVERY__ALLOW_HOSTS='["b.example"]',
        DELIVERY__ALLOW_NETWORKS="10.0.0.0/8, fd00::/8",
        DELIVERY__SETTLE="90s",
        DATABASE="postgresql://u:p@db/h",
        EVENTS='{"max_batch": 3}',
        events__create_pipelines="true",
        SECRETS__GITHUB__ENV="GITHUB_TOKEN",
        SECRETS__GITHUB__HOSTS="api.github.com",
        AUTH__TOKENS__CI__FILE="/run/ci",
    )

    assert (found.server.host, found.server.port) == ("::1", 2)
    assert found.delivery.allow_hosts == ["b.example"]
    assert found.delivery.allow_networks == ["10.0.0.0/8", "fd00::/8"]
    assert found.delivery.settle == 90_000
    assert found.database == "postgresql://u:p@db/h"
    assert found.events.max_batch == 3
    assert found.secrets.named["github"].hosts == ["api.github.com"]
    assert found.auth.tokens["ci"].file == Path("/run/ci")


def test_nothing_is_taken_from_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKENGINE_SERVER__PORT", "9")

    assert settings().server.port == 8730
    assert Settings().server.port == 8730


def test_variables_of_the_command_line_and_of_tests_are_no_settings() -> None:
    others = {"SERVER": "http://127.0.0.1:1", "TOKEN": "t", "CONFIG": "c.yaml", "FAILPOINTS": "a.b:raise"}

    assert settings(SERVER__PORT="3", **others).server.port == 3


def test_a_variable_that_a_secret_is_read_from_is_no_setting() -> None:
    text = "auth: {tokens: {ci: {env: HOOKENGINE_CI_TOKEN}}}\nsecrets: {github: {env: HOOKENGINE_GITHUB}}\n"

    found = settings(text, CI_TOKEN=SECRET, GITHUB=SECRET)

    assert found.auth.tokens["ci"].env == "HOOKENGINE_CI_TOKEN"
    assert found.secrets.names == {"github"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DELIVERY__CONCURENCY", "1", "unknown variable, did you mean 'HOOKENGINE_DELIVERY__CONCURRENCY'?"),
        ("DELIVRY__CONCURRENCY", "1", "unknown variable, did you mean 'HOOKENGINE_DELIVERY__CONCURRENCY'?"),
        ("SERVER_PORT", "1", "unknown variable, did you mean 'HOOKENGINE_SERVER__PORT'?"),
        ("RELOAD", "1", "unknown variable"),
        ("SERVER__PORT", "many", "must be a whole number"),
        ("SERVER__PORT", "65536", "must be at most 65535"),
        ("AUTH__ENABLED", "perhaps", "must be true or false"),
        (
            "DELIVERY__SETTLE",
            "soon",
            "must be a duration such as 500ms, 5s, 15m, 2h or 3d, or a number of seconds",
        ),
        ("LOGGING__FORMAT", "jsn", "must be one of auto, console, json, did you mean 'json'?"),
        ("DELIVERY", "fast", "must be a mapping"),
        ("DATABASE", f"mysql://u:{SECRET}@db", "must begin with sqlite:/// or postgresql://"),
        ("SECRETS__GITHUB", SECRET, "must be a mapping"),
        ("SECRETS__KEY_FIL", "x", "must be a mapping (did you mean 'key_file'?)"),
    ],
)
def test_a_mistake_in_a_variable_is_told_with_its_name(name: str, value: str, expected: str) -> None:
    assert problems(**{name: value}) == [f"HOOKENGINE_{name}: {expected}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sever: {}", "1:1: sever: unknown key 'sever', did you mean 'server'?"),
        ("pipeline: []", "1:1: pipeline: unknown key 'pipeline', did you mean 'pipelines'?"),
        ("_env_file: x", "1:1: _env_file: unknown key '_env_file'"),
        ("server: {prot: 1}", "1:10: server.prot: unknown key 'prot', did you mean 'port'?"),
        ("server: 3", "1:9: server: must be a mapping"),
        ("server: {port: 1, port: 2}", "1:19: server.port: this key stands twice, first in line 1"),
        (
            "retention: {failed: 1y}",
            "1:21: retention.failed: must be a duration such as 500ms, 5s, 15m, 2h or 3d",
        ),
        (
            "events: {context_limit: lots}",
            "1:25: events.context_limit: must be a size such as 16KiB or 1MiB, or a n",
        ),
        (
            "delivery: {allow_networks: [home]}",
            "1:29: delivery.allow_networks[0]: a network is written such as",
        ),
        ("delivery: {user_agent: 'ä'}", "1:24: delivery.user_agent: must match"),
        ("auth: {tokens: {ci: {}}}", "1:21: auth.tokens.ci: needs either `env` or `file`"),
        (
            "secrets: {a: {env: A, file: b}}",
            "1:14: secrets.a: needs one of `env`, `file`, `stored: true` and `kind: github_app`",
        ),
        ("secrets: {a: {env: A, app_id: 7}}", "1:31: secrets.a.app_id: goes with `kind: github_app`"),
        (
            "secrets: {a: {kind: github_app, app_id: 7}}",
            "1:14: secrets.a: a GitHub App needs its `app_id` and `private_key`",
        ),
        (
            "secrets: {a: {kind: github_app, app_id: 7, private_key: {env: K}, api: 'http://git.acme.io'}}",
            "1:72: secrets.a.api: must begin with https://",
        ),
        (
            "secrets: {a: {kind: github_app, app_id: 7, private_key: {env: K}}}",
            "1:14: secrets.a: a GitHub App needs either `installation_id` or `repository`",
        ),
        (
            "secrets: {a: {env: A, host: [b]}}",
            "1:23: secrets.a.host: unknown key 'host', did you mean 'hosts'?",
        ),
        ("secrets: {a: {env: A, hosts: ['https://b']}}", "1:31: secrets.a.hosts[0]: a host is a bare name"),
        ("secrets: {a-b: {env: A}}", "1:16: secrets.a-b: a secret's name is made of letters, digits and _"),
        (
            "secrets: {insecure_plain: true}",
            "1:27: secrets.insecure_plain: must be a mapping (did you mean 'insecure",
        ),
        (
            "logging: {level: warn}",
            "1:18: logging.level: must be one of debug, info, warning, error, did you mean",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"config.yaml:{expected}")


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(
        "sever: {}\nserver: {port: x}\nlogging: {level: loud}\n", SERVR__PORT="1", EVENTS__MAX_BATCH="x"
    )

    assert [problem.partition(": ")[0] for problem in found] == [
        "HOOKENGINE_EVENTS__MAX_BATCH",
        "HOOKENGINE_SERVR__PORT",
        "config.yaml:1:1",
        "config.yaml:2:16",
        "config.yaml:3:18",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"secrets: {{github: {SECRET}}}",
        f"secrets: {{github: [{SECRET}]}}",
        f"secrets: {{github: {{env: {SECRET}}}}}",
        f"secrets: {{github: {{env: A, file: [{SECRET}]}}}}",
        f"secrets: {{github: {{env: A, hosts: ['{SECRET} x']}}}}",
        f"secrets: {{key_file: [{SECRET}]}}",
        f"auth: {{tokens: {{ci: {SECRET}}}}}",
        f"auth: {{tokens: {{ci: {{env: {SECRET}}}}}}}",
        f"database: mysql://u:{SECRET}@db/h",
        f"delivery: {{proxy: {{url: 'http://u:{SECRET}@proxy:3128'}}}}",
        f"delivery: {{proxy: {SECRET}}}",
        f"logging: {{level: {SECRET}}}",
    ],
)
def test_a_mistake_never_shows_a_value(text: str) -> None:
    (problem,) = problems(text)
    assert SECRET not in problem


def test_the_password_of_the_database_is_not_shown() -> None:
    assert SECRET not in repr(settings(f"database: postgresql://u:{SECRET}@db/h"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "hooks.example", "::"])
def test_without_tokens_only_a_loopback_address_may_be_listened_on(host: str) -> None:
    (problem,) = problems(f"server: {{host: '{host}'}}\nauth:\n  enabled: false\n")

    assert problem == (
        f"config.yaml:3:12: auth.enabled: without tokens only a loopback address may be listened on, not {host}"
    )
    assert settings(f"server: {{host: '{host}'}}").server.host == host
    assert not settings("auth: {enabled: false}").auth.enabled


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("http://proxy.acme.io:3128", "http://proxy.acme.io:3128"),
        ("http://Proxy.acme.io:03128/", "http://proxy.acme.io:3128"),
        ("http://proxy:80", "http://proxy:80"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://[FD00::1]:8080", "http://[fd00::1]:8080"),
    ],
)
def test_a_proxy_is_a_host_and_a_port(said: str, url: str) -> None:
    proxy = settings(f"delivery: {{proxy: {{url: '{said}', credentials: {{file: p}}}}}}").delivery.proxy

    assert proxy is not None
    assert proxy.credentials is not None
    assert (proxy.url, proxy.credentials.file, proxy.by_name) == (url, Path.cwd() / "p", False)


@pytest.mark.parametrize("text", ["delivery: {proxy: {}}", "delivery: {proxy: }", "delivery: {}"])
def test_without_a_proxy_there_is_none(text: str) -> None:
    assert settings(text).delivery.proxy is None


@pytest.mark.parametrize(
    "url",
    [
        *("", "proxy:3128", "https://proxy:3128", "socks5://proxy:1080", "http://proxy", "http://proxy:0"),
        *("http://proxy:65536", "http://proxy:3128/path", "http://proxy:3128?x", "http://a b:3128"),
        *("http://u:p@proxy:3128", "http://127.1:3128", "http://[::1:3128", "http://::1:3128"),
        "http://proxy:3128\r\nX: 1",
    ],
)
def test_what_is_no_proxy_is_refused(url: str) -> None:
    (problem,) = problems(f"delivery: {{proxy: {{url: {json.dumps(url)}}}}}")

    assert "delivery.proxy.url: " in problem


def test_relative_paths_are_counted_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "database: sqlite:///data/h.db\n"
        "auth: {tokens: {a: {file: a.token}, b: {env: B}}}\n"
        "secrets: {key_file: keys/k, one: {file: one.secret}, two: {file: /run/two}, three: {env: T}}\n"
    )

    found = load_settings(file, {})

    assert found.database == f"sqlite:///{tmp_path}/data/h.db"
    assert found.auth.tokens["a"].file == tmp_path / "a.token"
    assert found.secrets.key_file == tmp_path / "keys" / "k"
    assert {name: secret.file for name, secret in found.secrets.named.items()} == {
        "one": tmp_path / "one.secret",
        "two": Path("/run/two"),
        "three": None,
    }


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/lib/h.db",
        "sqlite:///:memory:",
        "postgresql://u@db/h",
        "postgresql://u:p%40w:x@[::1]:5432/h?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://u:p@one.example:5432,two.example:5433/h",
        "postgresql:///h?host=/run/postgresql",
    ],
)
def test_a_database_that_is_not_relative_stays_as_it_is(url: str) -> None:
    assert settings(f"database: '{url}'").database == url


def test_the_short_name_of_the_scheme_means_the_same() -> None:
    assert settings("database: postgres://u:p@db/h").database == "postgresql://u:p@db/h"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql://u@db/h", "must begin with sqlite:/// or postgresql://"),
        ("sqlite://h.db", "must begin with sqlite:/// or postgresql://"),
        ("postgresql+asyncpg://u@db/h", "must begin with sqlite:/// or postgresql://"),
        (f"postgresql://u:{SECRET}@db", f"names no database; must be such as {POSTGRES}"),
        (f"postgresql://u:{SECRET}@db/", f"names no database; must be such as {POSTGRES}"),
        (
            f"postgresql://u:{SECRET}@db/h?sslmode=always",
            "sslmode must be one of allow, disable, prefer, require, verify-ca, verify-full",
        ),
        *[
            (f"postgresql://u:{password}@db:5432/h", f"must be such as {POSTGRES}; {IN_PERCENT}")
            for password in (f"{SECRET}@1", f"{SECRET}/1", f"{SECRET}#1", f"{SECRET}?1", f"1/{SECRET}")
        ],
        (f"postgresql://u:{SECRET}@db:many/h", f"must be such as {POSTGRES}; {IN_PERCENT}"),
    ],
)
def test_a_database_that_cannot_be_meant_is_refused_without_showing_its_password(
    url: str, expected: str
) -> None:
    assert problems(f"database: '{url}'") == [f"config.yaml:1:11: database: {expected}"]


def test_a_group_with_nothing_in_it_means_its_defaults() -> None:
    assert settings("server:\n  # port: 1\nauth:\n  tokens:\nhooks:\n").server.port == 8730


def test_settings_cannot_be_changed() -> None:
    found = settings()
    with pytest.raises(ValidationError):
        found.server.port = 1
    with pytest.raises(ValidationError):
        found.database = ""


def test_a_name_in_the_user_agent_may_stand_for_the_version() -> None:
    assert (
        settings("delivery: {user_agent: 'shop/1 ({version})'}").delivery.user_agent
        == f"shop/1 ({__version__})"
    )


def test_every_setting_has_a_description() -> None:
    table = list(settings_table())

    assert len(table) > 20
    assert [name for name, _, description in table if not description] == []


def test_one_file_gives_settings_and_hooks() -> None:
    text = (
        "secrets: {github: {env: G, hosts: [x.example]}}\n"
        "hooks:\n  - name: a\n    target_url: https://x.example\n    trigger_when: {events: [a.b]}\n"
        "    settings: {request_headers: [{name: A, value: '{{ secrets.github }}'}]}\n"
    )

    found, manifest = read_config(load(text), {})

    assert found.secrets.names == {"github"}
    assert [hook.name for hook in manifest.hooks] == ["a"]
    with pytest.raises(ConfigError, match="there is no secret 'github', did you mean 'gitub'"):
        read_config(load(text.replace("github:", "gitub:")), {})


def test_mistakes_in_settings_and_hooks_are_told_together_and_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(load("serve: 1\nserver: {a: 1, a: 2}\nhooks: [{name: a, name: b}]\n"), {})

    assert [str(problem).partition(": ")[0] for problem in caught.value.problems] == [
        "config.yaml:1:1",
        "config.yaml:2:10",
        "config.yaml:2:16",
        "config.yaml:3:9",
        "config.yaml:3:9",
        "config.yaml:3:19",
    ]


@pytest.mark.parametrize(
    ("said", "hosts"),
    [
        ("", {"api.github.com"}),
        (", api: 'https://git.acme.io/api/v3'", {"git.acme.io"}),
        (", hosts: [other.example]", {"other.example"}),
    ],
)
def test_tokens_of_an_app_go_to_the_host_of_its_api_unless_another_is_named(
    tmp_path: Path, said: str, hosts: set[str]
) -> None:
    file, key = tmp_path / "config.yaml", "private_key: {file: app.pem}"
    file.write_text(f"secrets: {{a: {{kind: github_app, app_id: 7, repository: acme/shop, {key}{said}}}}}")

    secret = load_settings(file, {}).secrets.named["a"]

    assert secret.audience == hosts
    assert secret.private_key is not None
    assert secret.private_key.file == tmp_path / "app.pem"


def test_a_source_shows_a_secret_that_there_is() -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(load("sources: {github: {secret: wehbook}}\nsecrets: {webhook: {env: W}}"), {})

    assert "there is no secret 'wehbook', did you mean 'webhook'?" in str(raised.value)
    assert "config.yaml:1:28" in str(raised.value)


def test_a_source_may_name_its_pipeline_by_id() -> None:
    settings = load_settings(load("sources: {github: {pipeline: 7}}"), {})

    assert settings.sources.github.pipeline == "7"
