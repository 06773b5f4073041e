"""Connecting: credentials by the environment, and a line for whatever prevents it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.kubeflow.client import KubeflowError, connect, dex_cookies
from tests.conftest import REPOSITORY
from tests.pipeline.kubeflow.api import Api, listening


def test_a_token_is_sent_and_a_missing_one_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.token = "secret"
    with pytest.raises(KubeflowError, match=r"refuses the credentials .401 .*KF_PIPELINES_TOKEN"):
        connect()
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret")
    connect()
    monkeypatch.delenv("KF_PIPELINES_TOKEN")
    monkeypatch.setenv("KF_PIPELINES_COOKIES", "session=1")
    with pytest.raises(KubeflowError):
        connect()
    assert api.requests[-1].headers["cookie"] == "session=1"


def test_an_api_that_is_not_there_is_told_in_a_line() -> None:
    with pytest.raises(
        KubeflowError, match=r"cannot reach .*http://127.0.0.1:9: .*Connection refused.*--host"
    ):
        connect("http://127.0.0.1:9")


def test_a_user_without_an_api_is_told_where_it_is_looked_for() -> None:
    done = subprocess.run(
        [sys.executable, "run_kubeflow.py", "--host", "http://127.0.0.1:9"],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert "cannot reach the Kubeflow Pipelines API at http://127.0.0.1:9" in said
    assert "kubectl -n kubeflow port-forward svc/ml-pipeline 8888" in said
    assert "Traceback" not in said


@contextlib.contextmanager
def _dex(approval: bool) -> Iterator[str]:
    """Kubeflow's front door: a proxy that sends strangers to Dex, whose forms are then filled in."""

    class Handler(BaseHTTPRequestHandler):
        def _go(self, where: str, cookie: str = "") -> None:
            self.send_response(303)
            self.send_header("Location", where)
            if cookie:
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _show(self, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path:
                case "/dex/auth":
                    self._show("Log in with a connector")
                case "/dex/auth/local":
                    self._go("/dex/auth/local/login?back=&state=s1")
                case "/oauth2/callback":
                    self._go("/", "oauth2_proxy_kubeflow=session-of-ada; Path=/")
                case "/" if "oauth2_proxy_kubeflow" in self.headers.get("Cookie", ""):
                    self._show("the central dashboard")
                case "/":
                    self._go("/dex/auth?client_id=kubeflow&state=s1")
                case _:
                    self._show("a form")

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            if self.path.startswith("/dex/approval"):
                assert form["approval"] == ["approve"]
                self._go("/oauth2/callback?code=c1")
            elif (form["login"], form["password"]) == (["ada@example.com"], ["12341234"]):
                self._go("/dex/approval?req=s1" if approval else "/oauth2/callback?code=c1")
            else:
                self._show("Invalid Email Address and password.")

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with listening(Handler) as address:
        yield address


@pytest.mark.parametrize("approval", [True, False])
def test_dexs_login_page_is_filled_in(approval: bool) -> None:
    with _dex(approval) as host:
        assert dex_cookies(host, "ada@example.com", "12341234") == "oauth2_proxy_kubeflow=session-of-ada"
        with pytest.raises(KubeflowError, match=r"does not accept the password of 'ada@example.com'"):
            dex_cookies(host, "ada@example.com", "wrong")


def test_a_host_without_dex_is_told(api: Api) -> None:
    with pytest.raises(KubeflowError, match=r"shows no Dex login page \(404 at "):
        dex_cookies(api.url, "ada@example.com", "12341234")
