"""The REST listener."""

import logging

from serving.flags import Flags
from serving.ops.tls import Tls, ssl_context
from serving.rest.app import RestApi
from serving.transport.http1.connection import HttpConnection
from serving.transport.http1.message import HttpLimits
from serving.transport.listener import Listener

log = logging.getLogger("slipway.server")


def rest_listener(app: RestApi, flags: Flags, tls: Tls | None) -> Listener | None:
    """Return the listener, bound but not yet started, if the flags enable REST.

    Raises:
        BindError: the port is not available.
    """
    port = flags.rest_api_port
    if not port:
        return None
    if port == flags.port:
        log.error("--rest_api_port is the same as --port (%d): the REST API is disabled", port)
        return None
    limits = HttpLimits(body_bytes=flags.max_request_bytes)
    listener = Listener(lambda listener: HttpConnection(app, limits, listener))
    listener.bind(flags.host, port, ssl_context(tls) if tls else None, "--rest_api_port")
    return listener
