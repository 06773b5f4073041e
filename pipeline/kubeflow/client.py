"""The client of the Kubeflow Pipelines API: connects with what the environment sets, and says clearly why it cannot."""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from typing import Any

from serving.errors import UserError
from serving.private import require

ENDPOINT = "KF_PIPELINES_ENDPOINT"
_HELP = (
    f"Name the API with --host or {ENDPOINT}, such as http://localhost:8888 after "
    "`kubectl -n kubeflow port-forward svc/ml-pipeline 8888`"
)


class KubeflowError(UserError, RuntimeError):
    """The Kubeflow Pipelines API cannot be used; the message says why and what to do."""


def connect(host: str | None = None, namespace: str | None = None) -> Any:
    """Make kfp's client.

    Credentials come from the environment, the first of these that is set: `KF_PIPELINES_TOKEN`, a bearer token;
    `KF_PIPELINES_COOKIES`, a Cookie header; `KF_PIPELINES_DEX_USERNAME` and `KF_PIPELINES_DEX_PASSWORD`, with which
    Kubeflow's own login page is filled in; and what kfp itself reads (in a pod, the service account's token).

    Args:
        host: URL of the API; `KF_PIPELINES_ENDPOINT` if None, else what kfp finds in a pod or a kubeconfig.
        namespace: the profile's namespace, on a multi-user Kubeflow.

    Raises:
        KubeflowError: it cannot be reached, or refuses the credentials.
    """
    import kfp

    require(
        kfp.Client,
        *("_get_url_prefix", "_pipelines_api", "_run_api"),
        why="to create a pipeline without a version, to quote a failed step and to link to the UI",
    )

    class Client(kfp.Client):  # type: ignore[misc]  # kfp has no types
        """kfp's client tries five times over 25 s, even if it is refused or the address is wrong."""

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return self._healthz_api.healthz_service_get_healthz(_request_timeout=10)

    host = host or os.environ.get(ENDPOINT)
    cookies = os.environ.get("KF_PIPELINES_COOKIES")
    username = os.environ.get("KF_PIPELINES_DEX_USERNAME")
    if host and username and not cookies:
        cookies = dex_cookies(host, username, os.environ.get("KF_PIPELINES_DEX_PASSWORD", ""))
    with explained(host):
        client = Client(
            host=host,
            existing_token=os.environ.get("KF_PIPELINES_TOKEN"),
            cookies=cookies,
            namespace=namespace or "kubeflow",
            ssl_ca_cert=os.environ.get("REQUESTS_CA_BUNDLE"),
        )
        client.get_kfp_healthz()
    return client


@contextlib.contextmanager
def explained(host: str | None = None) -> Iterator[None]:
    """Turn what kfp's client raises into one line, and keep what it prints off the screen.

    Raises:
        KubeflowError: instead of its exceptions.
    """
    from kfp_server_api.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    where = host or "the cluster of the current kubeconfig"
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ApiException as error:
        if error.status in (401, 403):
            raise KubeflowError(
                f"{where} refuses the credentials ({error.status} {error.reason}). Set KF_PIPELINES_TOKEN, "
                "KF_PIPELINES_COOKIES, or KF_PIPELINES_DEX_USERNAME and KF_PIPELINES_DEX_PASSWORD"
            ) from error
        raise KubeflowError(f"{where} answers {error.status} {error.reason}: {_message(error)}") from error
    except HTTPError as error:
        raise KubeflowError(
            f"cannot reach the Kubeflow Pipelines API at {where}: {_reason(error)}. {_HELP}"
        ) from error


def dex_cookies(host: str, username: str, password: str) -> str:
    """Log in at Kubeflow's Dex as a browser would, and return the session as a Cookie header.

    Raises:
        KubeflowError: there is no login page, or it does not let the user in.
    """
    import httpx

    try:
        with httpx.Client(follow_redirects=True, timeout=30) as browser:
            page = browser.get(host)
            if page.url.path.endswith("/auth"):  # Dex asks which of its connectors to use: its own accounts
                page = browser.get(page.url.copy_with(path=page.url.path + "/local"))
            if "/auth/" not in page.url.path:
                raise KubeflowError(f"{host} shows no Dex login page ({page.status_code} at {page.url})")
            page = browser.post(page.url, data={"login": username, "password": password})
            if page.url.path.endswith("/approval"):
                page = browser.post(page.url, data={"approval": "approve"})
            if "/auth/" in page.url.path or not browser.cookies:
                raise KubeflowError(f"Dex at {host} does not accept the password of {username!r}")
            return "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
    except httpx.HTTPError as error:
        raise KubeflowError(f"cannot reach {host}: {error}. {_HELP}") from error


def _reason(error: Any) -> str:
    """Find the cause in urllib3's account of its retries."""
    return str(getattr(error, "reason", None) or error).rpartition(": ")[2]


def _message(error: Any) -> str:
    """Find the message in an error's body, which is JSON if the API itself answered."""
    import json

    try:
        body = json.loads(error.body)
    except (TypeError, ValueError):
        return str(error.body or "").strip()[:200]
    return str(body.get("error_description") or body.get("message") or body.get("error_message") or body)
