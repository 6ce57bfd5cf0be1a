"""Settings: each one once, with its default and what it is for. File, then environment, then nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hookengine import __version__
from hookengine.domain.context import merge
from hookengine.domain.secret import NAME as SECRET_NAME
from hookengine.domain.token import Scope, checked_binding
from hookengine.errors import ConfigError, InvalidToken, Problem
from hookengine.failpoints import VARIABLE as FAILPOINTS
from hookengine.guard.address import AddressPolicy
from hookengine.guard.permissions import Permissions
from hookengine.guard.secret_paths import SecretPaths
from hookengine.guard.vault import secrets_in
from hookengine.manifest import Document, Manifest, load, read
from hookengine.manifest.checking import (
    Findings,
    MisplacedError,
    Mistake,
    did_you_mean,
    explain,
    nearest,
    unknown_name,
)
from hookengine.manifest.document import Location
from hookengine.manifest.environment import Environment, variables_named_in
from hookengine.manifest.fields import (
    DatabaseUrl,
    Duration,
    Host,
    Hosts,
    Networks,
    ProxyUrl,
    PublicUrl,
    Size,
    Texts,
    database_inside,
    is_loopback,
)
from hookengine.manifest.reading import KEYS

OTHER_VARIABLES = frozenset({"HOOKENGINE_SERVER", "HOOKENGINE_TOKEN", "HOOKENGINE_CONFIG", FAILPOINTS})
"""Variables of the command line and of tests, which are no settings."""


def _agent(text: str) -> str:
    return text.replace("{version}", __version__)


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


PipelineReference = Annotated[str, BeforeValidator(lambda said: str(said) if type(said) is int else said)]
SecretNameOrNone = Annotated[str, Field(pattern=rf"^({SECRET_NAME.pattern})?$")]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Server(_Group):
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8730
    """The port to listen on; 0: any free one."""
    max_body: Size = 1024 * 1024
    """Requests with larger bodies are refused."""
    public_url: PublicUrl = ""
    """Where others find this server, such as https://hooks.acme.io; left out: where whoever asks has found it."""


class SecretSource(_Group):
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


class NamedSecret(_Group):
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
        resolved_key = key and key.model_copy(update={"file": _inside(folder, key.file)})
        return self.model_copy(update={"file": _inside(folder, self.file), "private_key": resolved_key})


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


class Auth(_Group):
    enabled: bool = True
    """Whether API and console ask for a token; without, only a loopback address may be listened on."""
    tokens: dict[str, TokenSource] = Field(default_factory=dict)
    """API tokens by name, each read from where it says, beside those of `hookengine tokens`."""


class HostTls(_Group):
    ca: Path | None = None
    """Certificates of who is trusted for this host instead of the public authorities."""
    certificate: Path | None = None
    """The certificate to show it."""
    key: Path | None = None
    """Its key, if that is not in the same file."""

    def resolved(self, folder: Path) -> HostTls:
        paths = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return self.model_copy(update={name: _inside(folder, path) for name, path in paths.items()})


class Proxy(_Group):
    url: ProxyUrl
    """Where it is: http://host:port."""
    credentials: SecretSource | None = None
    """Where `user:password` for it is read from."""
    by_name: bool = False
    """Whether it is told names, which it looks up itself, instead of the addresses that were judged."""

    def resolved(self, folder: Path) -> Proxy:
        if self.credentials is None:
            return self
        file = _inside(folder, self.credentials.file)
        return self.model_copy(update={"credentials": self.credentials.model_copy(update={"file": file})})


class Nothing(_Group):
    """An empty mapping."""


class Delivery(_Group):
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


class Events(_Group):
    max_batch: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Events in one request."""
    create_pipelines: bool = False
    """Whether an event of an unknown pipeline creates it; else it is refused."""
    context_limit: Size = 256 * 1024
    """The context of one action, as JSON."""


class Source(_Group):
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


class Sources(_Group):
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


class Retention(_Group):
    delivered: Duration = 30 * 86_400_000
    """Deliveries that arrived, superseded and cancelled ones, and ids of events."""
    failed: Duration = 90 * 86_400_000
    """Deliveries that did not arrive."""


class Watchdog(_Group):
    after: Annotated[Duration, Field(ge=1_000)] = 6 * 3_600_000
    """An action of which nothing was heard for so long, after it was queued or started, has timed out."""


class Metrics(_Group):
    public: bool = False
    """Whether /metrics may be read without a token."""


class Logging(_Group):
    format: Literal["auto", "console", "json"] = "auto"
    """auto: console on a terminal, json elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages to write."""


class Settings(BaseSettings):
    """Every setting. Durations are milliseconds, sizes bytes.

    Made by `load_settings`, which reads the environment and resolves relative paths.
    """

    model_config = SettingsConfigDict(
        env_prefix="HOOKENGINE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    server: Server = Server()
    auth: Auth = Auth()
    database: DatabaseUrl = Field("sqlite:///./hookengine.db", repr=False)
    """A SQLite file."""
    delivery: Delivery = Delivery()
    events: Events = Events()
    sources: Sources = Sources()
    secrets: Secrets = Secrets()
    watchdog: Watchdog = Watchdog()
    retention: Retention = Retention()
    metrics: Metrics = Metrics()
    logging: Logging = Logging()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *ambient: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing ambient: who makes settings says what they are made of."""
        return (init_settings,)

    @model_validator(mode="after")
    def _open_only_at_home(self) -> Settings:
        if not self.auth.enabled and not is_loopback(self.server.host):
            raise MisplacedError(
                f"without tokens only a loopback address may be listened on, not {self.server.host}",
                "auth",
                "enabled",
            )
        return self

    @model_validator(mode="after")
    def _sources_show_secrets_that_there_are(self) -> Settings:
        for name, source in self.sources:
            if (
                isinstance(source, WebhookSource)
                and source.secret
                and source.secret not in self.secrets.names
            ):
                message = unknown_name("secret", source.secret, self.secrets.names)
                raise MisplacedError(message, "sources", name, "secret")
        return self

    @property
    def permissions(self) -> Permissions:
        """What hooks may call and send."""
        named = self.secrets.named
        return Permissions(
            addresses=self.addresses,
            host_values=frozenset(self.delivery.allow_host_values),
            audiences={name: secret.audience for name, secret in named.items() if not secret.stored},
            context_paths=SecretPaths(self.secrets.context_paths),
            context_hosts=frozenset(self.secrets.context_hosts),
            in_bodies=frozenset(name for name, secret in named.items() if secret.in_bodies),
        )

    @property
    def addresses(self) -> AddressPolicy:
        delivery = self.delivery
        return AddressPolicy.parse(delivery.allow_networks, allow_hosts=delivery.allow_hosts)

    def resolved(self, folder: Path) -> Settings:
        """With all paths counted from `folder`."""
        named = {name: secret.resolved(folder) for name, secret in self.secrets.named.items()}
        tokens = {
            name: token.model_copy(update={"file": _inside(folder, token.file)})
            for name, token in self.auth.tokens.items()
        }
        tls = {host: files.resolved(folder) for host, files in self.delivery.tls.items()}
        key_file = _inside(folder, self.secrets.key_file)
        proxy = None if self.delivery.proxy is None else self.delivery.proxy.resolved(folder)
        return self.model_copy(
            update={
                "database": database_inside(folder, self.database),
                "auth": self.auth.model_copy(update={"tokens": tokens}),
                "delivery": self.delivery.model_copy(update={"tls": tls, "proxy": proxy}),
                "secrets": self.secrets.model_copy(update={"key_file": key_file, **named}),
            }
        )


def _inside(folder: Path, path: Path | None) -> Path | None:
    return None if path is None else folder / path.expanduser()


def settings_table(group: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Dotted name, default and description of every setting."""
    for name, field in group.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_table(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.get_default(call_default_factory=True), field.description or ""


def load_settings(source: Document | Path, environ: Mapping[str, str]) -> Settings:
    """Raises ConfigError with everything that is wrong in the file's settings and in HOOKENGINE_* variables."""
    document = source if isinstance(source, Document) else load(source)
    findings = Findings(document)
    findings.add([problem for at, problem in document.faults if not at or at[0] not in KEYS])
    said = _without_nulls({key: value for key, value in document.data.items() if key not in KEYS})
    for key in [key for key in said if key not in Settings.model_fields]:
        likely = did_you_mean(key, [*Settings.model_fields, *KEYS])
        findings.wrong((key,), f"unknown key '{key}'{likely}", key=True)
        del said[key]
    names = [name for name, _, _ in settings_table()]
    environment = Environment(
        Settings, environ, others={*OTHER_VARIABLES, *variables_named_in(document.data)}
    )
    findings.add(list(environment.unknown(names)))
    try:
        settings = Settings(**merge(said, environment()))
    except ValidationError as error:
        findings.add([_placed(mistake, document, environment, names) for mistake in explain(error, Settings)])
        raise findings.error() from None
    findings.settle()
    return settings.resolved(document.folder)


def read_config(source: Document | Path, environ: Mapping[str, str]) -> tuple[Settings, Manifest]:
    """Settings and manifest of one file. Raises ConfigError with the mistakes of both."""
    document = source if isinstance(source, Document) else load(source)
    problems: list[Problem] = []
    settings = manifest = None
    try:
        settings = load_settings(document, environ)
    except ConfigError as error:
        problems.extend(error.problems)
    try:
        names = settings.secrets.names if settings else None
        permissions = settings.permissions if settings else Permissions()
        manifest = read(document, secret_names=names, permissions=permissions)
    except ConfigError as error:
        problems.extend(error.problems)
    if settings is not None and manifest is not None:
        problems.extend(_secrets_in_the_open(document, settings.secrets.context_paths))
    if settings is None or manifest is None or problems:
        raise ConfigError(problems)
    return settings, manifest


def read_files(
    documents: Sequence[Document],
    environ: Mapping[str, str],
    *,
    base: Settings | None = None,
    secret_names: Collection[str] = (),
    pipelines: Mapping[int | str, int] | None = None,
) -> Manifest:
    """What files wish for that count as one; each may hold settings too. `base` are the settings that count beside
    theirs, `secret_names` and `pipelines` what is known besides. Raises ConfigError with all that is wrong.
    """
    problems: list[Problem] = []
    said = [base] if base is not None else []
    for document in documents:
        if document.data.keys() <= KEYS:
            continue
        try:
            said.append(load_settings(document, environ))
        except ConfigError as error:
            problems.extend(error.problems)
    said = said or [Settings()]
    names = {name for settings in said for name in settings.secrets.names} | set(secret_names)
    try:
        manifest = read(
            documents,
            secret_names=None if problems else names,
            permissions=_together([settings.permissions for settings in said]),
            pipelines=pipelines,
        )
    except ConfigError as error:
        raise ConfigError(list(dict.fromkeys([*problems, *error.problems]))) from None
    for document in documents:
        problems.extend(_secrets_in_the_open(document, said[0].secrets.context_paths))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return manifest


def _together(permissions: Sequence[Permissions]) -> Permissions:
    """The first counts, with the secrets that any of them names."""
    audiences: dict[str, frozenset[str]] = {}
    for each in permissions:
        audiences |= each.audiences or {}
    in_bodies = frozenset[str]().union(*(each.in_bodies for each in permissions))
    return replace(permissions[0], audiences=audiences, in_bodies=in_bodies)


def _secrets_in_the_open(document: Document, paths: Sequence[str]) -> Iterator[Problem]:
    """A pipeline's context stands in a file and in the database as it is: no place for a secret."""
    hint = 'name it under `secrets:` and write {"$secret": "secrets.NAME"} here'
    pipelines = document.data.get("pipelines")
    for number, pipeline in enumerate(pipelines if isinstance(pipelines, list) else []):
        context = pipeline.get("context") if isinstance(pipeline, dict) else None
        for path in secrets_in(context if isinstance(context, dict) else {}, SecretPaths(paths)):
            at: Location = ("pipelines", number, "context", *path.split("."))
            yield document.problem(at, "a secret must not stand here", hint=hint)


def _placed(mistake: Mistake, document: Document, environment: Environment, names: list[str]) -> Problem:
    """Where it was said: in a variable, else in the file."""
    at, hint = mistake.at, mistake.hint
    if len(at) == 2 and at[0] == "secrets" and (likely := nearest(str(at[1]), [*Secrets.model_fields])):
        hint = f"did you mean '{likely}'?"
    in_file = document.problem(at, mistake.message, hint=hint, key=mistake.key)
    said = environment.problem(at, mistake.message, hint, key=mistake.key, settings=names)
    return said or in_file


def _without_nulls(said: Any) -> Any:
    """A group whose keys are all commented out is null, and means its defaults."""
    if not isinstance(said, dict):
        return said
    return {key: _without_nulls(value) for key, value in said.items() if value is not None}
