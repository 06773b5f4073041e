"""TLS: the keys of an SSLConfig, for gRPC and, if enabled, REST."""

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
    """Keys and certificates as PEM text, as in the configuration file.

    Attributes:
        key: the server's private key.
        certificate: its certificate, with the chain.
        authority: the authority of the clients' certificates, if given.
        verify_clients: whether clients must present a certificate.
    """

    key: bytes
    certificate: bytes
    authority: bytes | None
    verify_clients: bool


def read_tls(path: str) -> Tls:
    """Read the keys of an SSLConfig file.

    Raises:
        ServerConfigError: the file cannot be read, or its key and certificates are invalid.
    """
    config = read_text(path, SSLConfig())
    for name in ("server_key", "server_cert"):
        if not getattr(config, name):
            raise ServerConfigError(f"{path}: {name} is empty; it must contain the PEM text itself")
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
        raise ServerConfigError(f"{path}: the key or certificates are invalid: {error}") from error
    return tls


def ssl_context(tls: Tls, protocols: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """Return them as an SSL context that negotiates one of these protocols with the client (ALPN)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(protocols)
    # Python loads keys only from files: use one that no other user can read, and delete it at once.
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
