"""The groups of settings: each one once, with its default and what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from hookengine import __version__
from hookengine.domain.secret import NAME as SECRET_NAME
from hookengine.domain.token import Scope, checked_binding
from hookengine.errors import InvalidToken
from hookengine.manifest.checking import (
    MisplacedError,
)
from hookengine.manifest.fields import (
    Duration,
    Host,
    Hosts,
    Networks,
    ProxyUrl,
    PublicUrl,
    Size,
    Texts,
    is_loopback,
)


def _agent(text: str) -> str:
    return text.replace("{version}", __version__)


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


PipelineReference = Annotated[str, BeforeValidator(lambda said: str(said) if type(said) is int else said)]


SecretNameOrNone = Annotated[str, Field(pattern=rf"^({SECRET_NAME.pattern})?$")]


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Server(Group):
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8730
    """The port to listen on; 0: any free one."""
    max_body: Size = 1024 * 1024
    """Requests with larger bodies are refused."""
    max_apply: Size = 4 * 1024 * 1024
    """Files that are applied over HTTP may be so large; a node takes one such request at a time."""
    requests_per_second: Annotated[int, Field(ge=0)] = 300
    """What a token may ask, ten seconds of it at once; events are not counted. 0: as much as it likes."""
    failures_per_minute: Annotated[int, Field(ge=0)] = 60
    """How many wrong tokens may come from one address; 0: as many as it likes."""
    public_url: PublicUrl = ""
    """Where others find this server, such as https://hooks.acme.io; left out: where whoever asks has found it."""


class SecretSource(Group):
    """Where a secret is read from; the secret itself never stands in the file."""

    env: VariableName | None = None
    """The name of an environment variable."""
    file: Path | None = None
    """A file, read again when it changes."""

    @model_validator(mode="after")
    def _one_of_both(self) -> SecretSource:
        if (self.env is None) == (self.file is None):
            raise ValueError("needs either `env` or `file`")
        return self


class NamedSecret(Group):
    env: VariableName | None = None
    """The name of an environment variable."""
    file: Path | None = None
    """A file, read again when it changes."""
    stored: Literal[True] | None = None
    """It is kept in the database, where `hookengine secrets set` puts it."""
    kind: Literal["github_app"] | None = None
    """Instead of these: tokens of a GitHub App's installation, minted when they are needed."""
    app_id: Annotated[int | None, Field(ge=1)] = None
    """Of the GitHub App."""
    installation_id: Annotated[int | None, Field(ge=1)] = None
    """Where it is installed."""
    repository: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")] = None
    """Instead of that: owner/name of a repository it is installed for."""
    private_key: SecretSource | None = None
    """The app's key, in PEM."""
    api: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9_.:\[\]/-]+$")] = "https://api.github.com"
    """Where GitHub's API is; https://HOST/api/v3 for GitHub Enterprise Server."""
    hosts: Hosts = Field(default_factory=list)
    """It is only ever sent to these; tokens of an app to its API's host if none is named."""
    in_bodies: bool = False
    """Whether hooks may put it into a JSON body, and not into headers only."""

    @model_validator(mode="after")
    def _one_source(self) -> NamedSecret:
        if [self.env, self.file, self.stored, self.kind].count(None) != 3:
            raise ValueError("needs one of `env`, `file`, `stored: true` and `kind: github_app`")
        if self.kind is None:
            for name in self.model_fields_set & _OF_AN_APP:
                raise MisplacedError("goes with `kind: github_app`", name)
        elif self.app_id is None or self.private_key is None:
            raise ValueError("a GitHub App needs its `app_id` and `private_key`")
        elif self.api.startswith("http://") and not is_loopback(urlsplit(self.api).hostname or ""):
            raise MisplacedError("must begin with https://", "api")
        elif (self.installation_id is None) == (self.repository is None):
            raise ValueError("a GitHub App needs either `installation_id` or `repository`")
        return self

    @property
    def audience(self) -> frozenset[str]:
        """Where it may go."""
        if self.kind is not None and not self.hosts:
            return frozenset({urlsplit(self.api).hostname or ""})
        return frozenset(self.hosts)

    def resolved(self, folder: Path) -> NamedSecret:
        key = self.private_key
        resolved_key = key and key.model_copy(update={"file": inside(folder, key.file)})
        return self.model_copy(update={"file": inside(folder, self.file), "private_key": resolved_key})


_OF_AN_APP = frozenset({"app_id", "installation_id", "repository", "private_key", "api"})


class TokenSource(SecretSource):
    scopes: list[Scope] = Field(default=[Scope.ADMIN], min_length=1)
    """What it is for."""
    team: str | None = None
    """Bound to the pipelines of this team."""
    pipeline: int | None = None
    """Bound to the pipeline of this id."""

    @model_validator(mode="after")
    def _bound_sensibly(self) -> TokenSource:
        try:
            checked_binding(frozenset(self.scopes), self.team, self.pipeline)
        except InvalidToken as error:
            raise ValueError(str(error)) from None
        return self


class Auth(Group):
    enabled: bool = True
    """Whether API and console ask for a token; without, only a loopback address may be listened on."""
    tokens: dict[str, TokenSource] = Field(default_factory=dict)
    """API tokens by name, each read from where it says, beside those of `hookengine tokens`."""


class HostTls(Group):
    ca: Path | None = None
    """Certificates of who is trusted for this host instead of the public authorities."""
    certificate: Path | None = None
    """The certificate to show it."""
    key: Path | None = None
    """Its key, if that is not in the same file."""

    def resolved(self, folder: Path) -> HostTls:
        paths = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return self.model_copy(update={name: inside(folder, path) for name, path in paths.items()})


class Proxy(Group):
    url: ProxyUrl
    """Where it is: http://host:port."""
    credentials: SecretSource | None = None
    """Where `user:password` for it is read from."""
    by_name: bool = False
    """Whether it is told names, which it looks up itself, instead of the addresses that were judged."""

    def resolved(self, folder: Path) -> Proxy:
        if self.credentials is None:
            return self
        file = inside(folder, self.credentials.file)
        return self.model_copy(update={"credentials": self.credentials.model_copy(update={"file": file})})


class Nothing(Group):
    """An empty mapping."""


class Delivery(Group):
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Requests in flight at once, per node."""
    per_host: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Of these to one host: a slow one keeps its share only."""
    per_hook: Annotated[int, Field(ge=1, le=100_000)] = 8
    """Of these for one hook."""
    pause_failing_after: Duration = 5 * 86_400_000
    """A hook that has only failed for so long is paused."""
    connect_timeout: Duration = 5_000
    """For a connection, TLS included."""
    lease_margin: Annotated[Duration, Field(ge=5_000)] = 20_000
    """A lane stays claimed for so much longer than its hook's timeout."""
    settle: Duration = 60_000
    """After this, an attempt with an unknown end has taken effect or never will."""
    allow_networks: Networks = Field(default_factory=list)
    """Private networks that hooks may call, such as 10.0.0.0/8."""
    allow_hosts: Hosts = Field(default_factory=list)
    """Names that hooks may call although they look local, such as gitlab; their addresses must be allowed too."""
    allow_host_values: Hosts = Field(default_factory=list)
    """Hosts that a value of the context may name in the URL of a hook, exactly as written here."""
    tls: dict[Host, HostTls] = Field(default_factory=dict)
    """Files for hosts with a private authority, or that want a certificate of us."""
    proxy: Annotated[
        Proxy | None,
        BeforeValidator(lambda said: said or None, json_schema_input_type=Proxy | Nothing | None),
    ] = None
    """The proxy that all requests leave through; empty: they leave directly."""
    user_agent: Annotated[str, Field(pattern=r"^[\x21-\x7e][\x20-\x7e]*$"), AfterValidator(_agent)] = (
        f"hookengine/{__version__}"
    )
    """How requests present themselves; {version} is filled in."""
    response_excerpt: Size = 16 * 1024
    """So much of an answer is kept."""


class Events(Group):
    max_batch: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Events in one request."""
    create_pipelines: bool = False
    """Whether an event of an unknown pipeline creates it; else it is refused."""
    context_limit: Size = 256 * 1024
    """The context of one action, as JSON."""


class Source(Group):
    enabled: bool = True
    """Whether its route is there."""


class WideSource(Source):
    """One whose reports may be about any pipeline."""

    pipeline: PipelineReference = ""
    """The pipeline that it reports about where neither the address nor the path says one."""
    pipeline_path: str = ""
    """Where a report names its pipeline, such as repository.name."""


class SeiSource(WideSource):
    pipeline_path: str = "pipeline"
    """Where a report names its pipeline, such as repository.name."""


class WebhookSource(WideSource):
    secret: SecretNameOrNone = ""
    """The name of the secret that its webhooks show; empty: they need a token of the API."""


class Sources(Group):
    github: WebhookSource = WebhookSource()
    gitlab: WebhookSource = WebhookSource()
    ilert: Source = Source()
    sei: SeiSource = SeiSource()
    cloudevents: WideSource = WideSource()


class Secrets(BaseModel):
    """Reserved keys, and beside them one key for each named secret."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    __pydantic_extra__: dict[str, NamedSecret]

    key_file: Path = Path("./hookengine.key")
    """Encrypts what is kept in the database; made by `hookengine init`."""
    insecure_plaintext: bool = False
    """Whether secrets may be kept without a key; for trying things out."""
    context_paths: Texts = Field(
        default_factory=lambda: [
            "application.source_provider.access_token",
            "**.access_token",
            "**.token",
            "**.password",
            "**.secret",
            "**.private_key",
        ]
    )
    """What is a secret in the context of an event; ** stands for any way there."""
    context_hosts: Hosts = Field(default_factory=list)
    """Secrets out of a context are only ever sent to these, and a source provider's to the API of that provider."""

    @property
    def named(self) -> Mapping[str, NamedSecret]:
        return self.__pydantic_extra__

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.named)

    @model_validator(mode="after")
    def _names_are_plain(self) -> Secrets:
        for name in self.named:
            if not SECRET_NAME.fullmatch(name):
                raise MisplacedError("a secret's name is made of letters, digits and _", name)
        return self


class Retention(Group):
    delivered: Duration = 30 * 86_400_000
    """Deliveries that arrived, superseded and cancelled ones, and ids of events."""
    failed: Duration = 90 * 86_400_000
    """Deliveries that did not arrive."""


class Watchdog(Group):
    after: Annotated[Duration, Field(ge=1_000)] = 6 * 3_600_000
    """An action of which nothing was heard for so long, after it was queued or started, has timed out."""


class Metrics(Group):
    public: bool = False
    """Whether /metrics may be read without a token."""


class Logging(Group):
    format: Literal["auto", "console", "json"] = "auto"
    """auto: console on a terminal, json elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages to write."""


def inside(folder: Path, path: Path | None) -> Path | None:
    return None if path is None else folder / path.expanduser()
