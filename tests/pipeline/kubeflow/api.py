"""A stub of the Kubeflow Pipelines API (v2beta1) that keeps what it is sent, and answers as the backend was seen to."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TIME = "2026-11-21T15:{}:00Z"


@dataclass
class Request:
    """One request: JSON bodies are parsed, others are kept as text."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class Api:
    """The stub: its address, what it was sent, and what it holds."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    pipelines: list[Any] = field(default_factory=list)
    versions: list[Any] = field(default_factory=list)
    experiments: list[Any] = field(default_factory=list)
    recurring: list[Any] = field(default_factory=list)
    #: Answers to successive questions about a run; the last one stays.
    run_states: list[Any] = field(default_factory=list)
    log: str = ""
    token: str | None = None

    def sent(self, method: str, ending: str) -> list[Request]:
        return [r for r in self.requests if r.method == method and r.path.endswith(ending)]

    def answer(self, request: Request) -> tuple[int, Any]:
        self.requests.append(request)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": "unauthenticated"}
        path = request.path.removeprefix("/apis/v2beta1")
        match (request.method, path.strip("/").split("/")):
            case ("GET", ["healthz"]):
                return 200, {"multi_user": False}
            case ("GET", ["pipelines"]):
                return 200, {"pipelines": self.pipelines}
            case ("POST", ["pipelines"]):
                return 200, self._add(self.pipelines, {**request.body, "pipeline_id": "pipeline-1"})
            case ("GET", ["pipelines", _, "versions"]):
                wanted = json.loads(request.query["filter"])["predicates"][0]["stringValue"]
                return 200, {"pipeline_versions": [v for v in self.versions if v["display_name"] == wanted]}
            case ("POST", ["pipelines", "upload_version"]):
                number = f"version-{len(self.versions) + 1}"
                made = {"display_name": request.query["name"], "pipeline_version_id": number}
                return 200, self._add(self.versions, {**made, "pipeline_id": request.query["pipelineid"]})
            case ("GET", ["experiments"]):
                return 200, {"experiments": self.experiments}
            case ("POST", ["experiments"]):
                return 200, self._add(self.experiments, {**request.body, "experiment_id": "experiment-1"})
            case ("POST", ["runs"]):
                return 200, {**request.body, "run_id": "run-1", "state": "PENDING"}
            case ("GET", ["runs", _]):
                return 200, self.run_states.pop(0) if len(self.run_states) > 1 else self.run_states[0]
            case ("GET", ["apis", "v1alpha1", "runs", _, "nodes", _, "log"]):
                return 200, self.log
            case ("GET", ["recurringruns"]):
                return 200, {"recurringRuns": self.recurring}
            case ("POST", ["recurringruns"]):
                number = f"recurring-{len(self.recurring) + 1}"
                made = {"recurring_run_id": number, "created_at": TIME.format("00"), "status": "ENABLED"}
                return 200, self._add(self.recurring, {**request.body, **made})
            case ("POST" | "DELETE", ["recurringruns", name]):
                return self._change(*name.partition(":")[::2], request.method)
        return 404, {"error": "not found"}

    def _add(self, held: list[Any], made: Any) -> Any:
        held.append(made)
        return made

    def _change(self, name: str, verb: str, method: str) -> tuple[int, Any]:
        (found,) = [run for run in self.recurring if run["recurring_run_id"] == name]
        if method == "DELETE":
            self.recurring.remove(found)
        else:
            found["status"] = {"enable": "ENABLED", "disable": "DISABLED"}[verb]
        return 200, {}


@contextlib.contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer by a handler on a free port of this machine; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def serve() -> Iterator[Api]:
    """Serve the stub on a free port of this machine."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode(errors="replace")
            is_json = "json" in self.headers.get("content-type", "") and body
            request = Request(
                self.command,
                url.path,
                {key: values[0] for key, values in parse_qs(url.query).items()},
                json.loads(body) if is_json else body,
                {key.lower(): value for key, value in self.headers.items()},
            )
            status, answer = api.answer(request)
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _do  # noqa: N815  (http.server's names)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    with listening(Handler) as api.url:
        yield api
