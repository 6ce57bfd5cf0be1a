"""All settings. File, then environment, then nothing."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    Field,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hookengine.config.groups import (
    Auth,
    Delivery,
    Events,
    Logging,
    Metrics,
    Retention,
    Secrets,
    Server,
    Sources,
    Watchdog,
    WebhookSource,
    inside,
)
from hookengine.guard.address import AddressPolicy
from hookengine.guard.permissions import Permissions
from hookengine.guard.secret_paths import SecretPaths
from hookengine.manifest.checking import (
    MisplacedError,
    unknown_name,
)
from hookengine.manifest.fields import (
    DatabaseUrl,
    database_inside,
    is_loopback,
)


@functools.lru_cache(maxsize=8)
def _policy(networks: tuple[str, ...], hosts: tuple[str, ...]) -> AddressPolicy:
    """The same object for the same words: what was judged under it is found by it."""
    return AddressPolicy.parse(networks, allow_hosts=hosts)


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
        return _policy(tuple(self.delivery.allow_networks), tuple(self.delivery.allow_hosts))

    def resolved(self, folder: Path) -> Settings:
        """With all paths counted from `folder`."""
        named = {name: secret.resolved(folder) for name, secret in self.secrets.named.items()}
        tokens = {
            name: token.model_copy(update={"file": inside(folder, token.file)})
            for name, token in self.auth.tokens.items()
        }
        tls = {host: files.resolved(folder) for host, files in self.delivery.tls.items()}
        key_file = inside(folder, self.secrets.key_file)
        proxy = None if self.delivery.proxy is None else self.delivery.proxy.resolved(folder)
        return self.model_copy(
            update={
                "database": database_inside(folder, self.database),
                "auth": self.auth.model_copy(update={"tokens": tokens}),
                "delivery": self.delivery.model_copy(update={"tls": tls, "proxy": proxy}),
                "secrets": self.secrets.model_copy(update={"key_file": key_file, **named}),
            }
        )


def settings_table(group: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Dotted name, default and description of every setting."""
    for name, field in group.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_table(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field.get_default(call_default_factory=True), field.description or ""
