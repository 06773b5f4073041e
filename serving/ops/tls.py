"""TLS: the keys of an SSLConfig, for gRPC and, where asked for, REST."""

import os
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.messages.declared import SSLConfig
from serving.messages.text_config import ServerConfigError, read_text


@dataclass(frozen=True)
class Tls:
    """PEM text, as the configuration file holds it.

    Attributes:
        key: the server's private key.
        certificate: its certificate, with the chain.
        authority: who signs clients' certificates, if given.
        verify_clients: whether a client must have one.
    """

    key: bytes
    certificate: bytes
    authority: bytes | None
    verify_clients: bool


def read_tls(path: str) -> Tls:
    """The keys of an SSLConfig file.

    Raises:
        ServerConfigError: if it cannot be read, or its key and certificate do not go together.
    """
    config = read_text(path, SSLConfig())
    for name in ("server_key", "server_cert"):
        if not getattr(config, name):
            raise ServerConfigError(f"{path}: {name} is empty; it holds the PEM text itself")
    if config.client_verify and not config.custom_ca:
        raise ServerConfigError(
            f"{path}: client_verify needs custom_ca, the authority of the clients' certificates"
        )
    tls = Tls(
        config.server_key.encode(),
        config.server_cert.encode(),
        config.custom_ca.encode() or None,
        config.client_verify,
    )
    try:
        ssl_context(tls)
    except (ssl.SSLError, ValueError) as error:
        raise ServerConfigError(f"{path}: the key and certificates cannot be used: {error}") from error
    return tls


def ssl_context(tls: Tls, protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """The same for Python's TLS, which agrees with the client on one of these protocols (ALPN)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(protocols)
    # Python loads keys from files only: one that nobody else can read, and only for that moment.
    handle, name = tempfile.mkstemp(prefix="slipway-tls-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(tls.certificate.rstrip() + b"\n" + tls.key)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    if tls.authority:
        context.load_verify_locations(cadata=tls.authority.decode())
        context.verify_mode = ssl.CERT_REQUIRED if tls.verify_clients else ssl.CERT_OPTIONAL
    return context
