"""The TLS that targets are met with."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import certifi

from hookengine.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFiles:
    """In PEM. `ca`: who is trusted instead of the public authorities. `key` may stand in `certificate`."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class TlsContexts:
    """A context for each host that has files of its own, and one for all others."""

    def __init__(self, hosts: Mapping[str, HostFiles] = {}) -> None:
        """Raises ConfigError with every file that cannot be used."""
        problems: list[Problem] = []
        self._usual = usual()
        self._own: dict[str, ssl.SSLContext] = {}
        for host, files in hosts.items():
            try:
                self._own[host] = _with(files)
            except OSError as error:  # ssl.SSLError is one
                place, said = (
                    f"delivery.tls.{host}",
                    error.strerror or "its files do not hold what they should",
                )
                problems.append(Problem(place=place, message=said, hint=_names(files)))
        if problems:
            raise ConfigError(problems)

    def __call__(self, host: str) -> ssl.SSLContext:
        return self._own.get(host, self._usual)


@cache
def usual() -> ssl.SSLContext:
    """With the public authorities, for all who change nothing in it: to read them takes long."""
    return trusting()


def trusting(ca: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer and HTTP/1.1 only. `ca` holds who is trusted instead of the public authorities."""
    context = ssl.create_default_context(cafile=str(ca or certifi.where()))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _with(files: HostFiles) -> ssl.SSLContext:
    context = trusting(files.ca)
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    return context


def _no_password() -> bytes:
    """Else OpenSSL asks for one on the terminal."""
    return b""


def _names(files: HostFiles) -> str:
    return "look at " + ", ".join(str(each) for each in (files.ca, files.certificate, files.key) if each)
