"""Why there was no answer. What a target says may quote the request, so none of its words are repeated."""

from __future__ import annotations

import errno
import ssl

import httptools

TLS_GARBAGE = "tls_garbage", "the target does not speak TLS"
TLS_CLOSED = "tls_closed", "the target hung up during the TLS handshake"

_X509 = {
    10: ("tls_expired", "the target's certificate has expired"),
    9: ("tls_not_yet_valid", "the target's certificate is not valid yet"),
    62: ("tls_wrong_name", "the target's certificate is for another name"),
    64: ("tls_wrong_name", "the target's certificate is for another address"),
    18: ("tls_untrusted", "the target's certificate is signed by itself"),
    19: ("tls_untrusted", "the target's certificate is of an authority that is not trusted"),
    20: ("tls_untrusted", "the target's certificate is of an authority that is not trusted"),
    21: ("tls_untrusted", "the target's certificate is of an authority that is not trusted"),
}
"""By the verify codes of OpenSSL."""

_TLS = {
    "UNSUPPORTED_PROTOCOL": ("tls_protocol", "the target speaks old versions of TLS only"),
    "TLSV1_ALERT_PROTOCOL_VERSION": ("tls_protocol", "the target speaks old versions of TLS only"),
    "WRONG_VERSION_NUMBER": TLS_GARBAGE,
    "HTTP_REQUEST": TLS_GARBAGE,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": ("tls_client", "the target wants a client certificate"),
    "SSLV3_ALERT_HANDSHAKE_FAILURE": ("tls_refused", "the target refused the TLS handshake"),
}
"""By OpenSSL's reasons."""

_SYSTEM = {
    errno.ECONNREFUSED: ("refused", "the target refused the connection"),
    errno.EHOSTUNREACH: ("no_route", "there is no route to the target"),
    errno.ENETUNREACH: ("no_route", "there is no route to the target"),
    errno.ECONNRESET: ("reset", "the target reset the connection"),
    errno.EPIPE: ("reset", "the target reset the connection"),
    errno.EMFILE: ("no_sockets", "the engine has no file descriptors left"),
    errno.ENFILE: ("no_sockets", "the engine's machine has no file descriptors left"),
}


_REFUSALS = {
    502: ("proxy_failed", "the proxy cannot connect to the target (502)"),
    503: ("proxy_failed", "the proxy cannot connect to the target now (503)"),
    504: ("proxy_failed", "the proxy got no connection to the target in time (504)"),
}
"""By the status of a proxy's answer."""

_OWN_LACKS = frozenset({errno.EMFILE, errno.ENFILE})


class Broken(Exception):
    """No answer will come. `code` is stable and meant for records, the message for a person."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Late(Exception):
    """No answer in time. `phase` is what was waited for: dns, connect, proxy, tunnel, tls, write or read."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"no answer in time ({phase})")
        self.phase = phase


class ProxyFailed(OSError):
    """The proxy gave no way to an address; to another one it may. `code` is as that of Broken."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class LeaseOver(Exception):
    """It was too late for the first byte, and none was written."""


GARBAGE = "garbage", "the target answered with something that is not HTTP/1.1"
CLOSED = "closed", "the target hung up without an answer"
TOO_LARGE = "head_too_large", "the head of the target's answer does not end"
PROXY_UNREACHABLE = "proxy_unreachable", "the proxy cannot be reached"
PROXY_CLOSED = "proxy_closed", "the proxy hung up when it was asked for a way to the target"
PROXY_GARBAGE = "proxy_garbage", "the proxy answered with something that is not HTTP/1.1"
PROXY_AUTH = (
    "proxy_auth",
    "the proxy wants credentials, or other ones, or does not let us call the target (407)",
)
PROXY_LACKS_CREDENTIALS = "proxy_auth", "the credentials for the proxy cannot be read"
SWITCHED = "switched_protocols", "the target switched to another protocol"


def is_own_lack(error: OSError) -> bool:
    """Whether it is the engine that has run out of something."""
    return error.errno in _OWN_LACKS


def of_refusal(status: int) -> ProxyFailed | Broken:
    """Of a proxy that was asked for a way to a target."""
    if status == 407:
        return Broken(*PROXY_AUTH)
    if status >= 500:
        usual = "proxy_failed", f"the proxy cannot connect to the target ({status})"
    else:
        usual = "proxy_denied", f"the proxy does not let us call the target ({status})"
    return ProxyFailed(*_REFUSALS.get(status, usual))


def of_connecting(error: OSError) -> Broken | Late:
    if isinstance(error, ProxyFailed):
        return Broken(error.code, str(error))
    if isinstance(error, TimeoutError):
        return Late("connect")
    return Broken(*_SYSTEM.get(error.errno or 0, ("connect_failed", f"connecting failed: {_symbol(error)}")))


def of_handshake(error: OSError) -> Broken | Late:
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, TimeoutError):
        return Late("tls")
    return Broken(*TLS_CLOSED)


def of_loss(error: Exception | None) -> Broken | Late:
    """`error` is what a connection was lost with, None if its end came in order."""
    match error:
        case None:
            return Broken(*CLOSED)
        case ssl.SSLError():
            return _of_tls(error)
        case TimeoutError():
            return Late("write")  # TCP_USER_TIMEOUT: what was written is not acknowledged
        case OSError():
            return Broken(*_SYSTEM.get(error.errno or 0, ("reset", f"connection lost: {_symbol(error)}")))
        case _:
            return Broken("lost", f"connection lost: {type(error).__name__}")


def of_answer(error: httptools.HttpParserError) -> Broken:
    """The parser's words are its own, and it has few of them."""
    said = " ".join(str(error).split())
    return Broken("garbage", f"{GARBAGE[1]}: {said}" if said else GARBAGE[1])


def _of_tls(error: ssl.SSLError) -> Broken:
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = ("tls_untrusted", f"the target's certificate is not trusted (code {error.verify_code})")
        return Broken(*_X509.get(error.verify_code, untrusted))
    reason = getattr(error, "reason", None) or type(error).__name__  # only those of OpenSSL have one
    return Broken(*_TLS.get(reason, ("tls_failed", f"TLS failed: {reason.lower().replace('_', ' ')}")))


def _symbol(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
