"""Gate 3: tries a model in a server process, and judges its answers and its latency."""

import math
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.canary.config import CanaryConfig
from components.canary.process import MODEL, VERSION, serve_candidate
from components.names import CANARY_GATE, PROBABILITIES
from components.outputs import output_check, output_faults
from components.verdict import Check, Verdict, judge
from serving.client import Client, PredictError
from serving.client.local import ServerError, ServerProcess, wait_until_ready
from serving.release.digest import file_digests, model_digest
from serving.release.record import WARMUP_FILE

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Golden:
    """Requests, and the answers that the model gave to them offline.

    Attributes:
        inputs: tensors by input name, a row for each example.
        outputs: what is expected, in the same order.
        signature_name: the signature to call; the default one if empty.
        fault: what is wrong with the requests, such as blank or too few of them; a failed check. "" if nothing is.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    signature_name: str = ""
    fault: str = ""

    def rows(self) -> int:
        """Return the number of examples."""
        return len(next(iter(self.inputs.values()), ()))

    def head(self, count: int) -> "Golden":
        """Return the first examples only."""
        return Golden(
            {name: value[:count] for name, value in self.inputs.items()},
            {name: value[:count] for name, value in self.outputs.items()},
            self.signature_name,
            self.fault,
        )


def run_canary(model_dir: str | Path, golden: Golden, config: CanaryConfig) -> Verdict:
    """Try a model in a server process.

    Args:
        model_dir: the candidate, a SavedModel or LiteRT folder, `assets.extra/` with warm-up requests included.
        golden: the requests, and the answers they must get.
        config: the server, and the limits.
    """
    folder = Path(model_dir)
    digest = model_digest(file_digests(folder))
    checks: list[Check] = []
    notes: list[str] = []
    if golden.fault or not golden.rows():
        checks.append(_failed("golden requests", golden.fault or "there are none"))
        return judge(CANARY_GATE, digest, checks)
    with tempfile.TemporaryDirectory(prefix="slipway-canary-") as scratch:
        try:
            with serve_candidate(folder, config, Path(scratch)) as server:
                _try(server, folder, golden.head(config.golden_requests), config, checks)
                code = server.exit_code()
                if code is not None and not any(check.status == "failed" for check in checks):
                    checks.append(_failed("server", f"it ended with exit code {code} during the canary"))
                if any(check.status == "failed" for check in checks):
                    notes += ["the server's last lines:", *server.last_lines()]
        except ServerError as error:
            checks.append(_failed("startup", str(error)))
    return judge(CANARY_GATE, digest, checks, notes=tuple(notes))


def _try(
    server: ServerProcess, folder: Path, golden: Golden, config: CanaryConfig, checks: list[Check]
) -> None:
    try:
        took = wait_until_ready(server, MODEL, config.startup_seconds, VERSION)
    except ServerError as error:
        checks.append(_failed("startup", str(error)))
        return
    checks.append(_at_most("startup seconds", took, config.startup_seconds))
    if (folder / WARMUP_FILE).is_file():
        # A server that refuses a warm-up request does not make the version available.
        checks.append(Check(metric="warm-up requests", status="passed", message="accepted"))
    for way, url in (("REST", server.rest), ("gRPC", server.grpc)):
        with Client(url, MODEL, signature_name=golden.signature_name, retries=0) as client:
            try:
                checks += _compare(client, golden, config, way)
                checks += _measure(client, golden, config, way)
            except (PredictError, ValueError) as error:
                checks.append(_failed(f"{way} answers", str(error)))


def _compare(client: Client, golden: Golden, config: CanaryConfig, way: str) -> list[Check]:
    """Compare every output with the expected one."""
    answers = client.predict(dict(golden.inputs))
    checks = []
    for name, expected in golden.outputs.items():
        metric = f"{way} difference of '{name}'"
        got = answers.get(name)
        if got is None:
            checks.append(_failed(metric, f"the server gives no output '{name}', only {sorted(answers)}"))
        elif got.shape != expected.shape:
            checks.append(_failed(metric, f"its shape is {list(got.shape)}, expected {list(expected.shape)}"))
        elif not math.isfinite(far := difference(got, expected)):
            checks.append(_failed(metric, "a value is NaN or infinite, in the answer or in what is expected"))
        else:
            bound = _tolerance(expected.dtype, config)
            checks.append(_at_most(metric, far, bound, examples=golden.rows()))
    if PROBABILITIES in golden.outputs and PROBABILITIES in answers:
        faults = output_check(output_faults(answers[PROBABILITIES], quantized=True))
        checks.append(faults.model_copy(update={"metric": f"{way} {faults.metric}"}))
    return checks


def difference(got: Array, expected: Array) -> float:
    """Return the largest difference between two tensors, relative where values are above 1.

    For integers and strings it is the share of values that differ. A NaN equals nothing, not even a NaN.
    """
    if got.size == 0:
        return 0.0
    if expected.dtype.kind not in "fc":
        return float(np.mean(got != expected))
    wide_got, wide = got.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(wide_got - wide) / np.maximum(np.abs(wide), 1.0)
    return float(np.max(np.where(wide_got == wide, 0.0, np.nan_to_num(apart, nan=np.inf))))


def _measure(client: Client, golden: Golden, config: CanaryConfig, way: str) -> list[Check]:
    """Measure the latency of single requests, which every client sends one after the other."""
    single = {name: value[:1] for name, value in golden.inputs.items()}
    client.predict(single)  # the first call opens the connection
    times: list[float] = []
    errors: list[str] = []
    until = time.monotonic() + config.loop_seconds

    def ask() -> None:
        while time.monotonic() < until and not errors:
            started = time.perf_counter()
            try:
                client.predict(single)
            except PredictError as error:
                errors.append(str(error))
            times.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=ask) for _ in range(config.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        return [_failed(f"{way} under load", errors[0])]
    return [
        _at_most(f"{way} p50 ms", float(np.percentile(times, 50)), config.p50_ms, examples=len(times)),
        _at_most(f"{way} p99 ms", float(np.percentile(times, 99)), config.p99_ms, examples=len(times)),
    ]


def _tolerance(dtype: np.dtype[Any], config: CanaryConfig) -> float:
    if dtype.kind != "f":
        return 0.0
    return config.half_tolerance if dtype.itemsize <= 2 else config.float_tolerance


def _at_most(metric: str, value: float, bound: float, examples: int | None = None) -> Check:
    return Check(
        metric=metric,
        status="passed" if value <= bound else "failed",
        examples=examples,
        value=value,
        direction="at most",
        bound=bound,
    )


def _failed(metric: str, message: str) -> Check:
    return Check(metric=metric, status="failed", message=message)
