"""The TLS that targets are met with."""

from __future__ import annotations

import ssl

import certifi


def trusting(ca_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer and HTTP/1.1 only. `ca_file` holds who is trusted instead of the public authorities."""
    context = ssl.create_default_context(cafile=ca_file or certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
