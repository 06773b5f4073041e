"""One server for the tests that only ask it things."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.process import Running, start
from tests.serving.tf_models import write_half_plus

CONFIG = """
model_config_list {{
  config {{
    name: "half plus" base_path: "{base}/half" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
  config {{ name: "broken" base_path: "{base}/broken" model_platform: "tensorflow" }}
}}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Versions 1 (b = 2) and 2 (b = 3) of 'half plus', and 'broken', which never loads."""
    base = tmp_path_factory.mktemp("models")
    write_half_plus(base / "half" / "1", 2.0)
    write_half_plus(base / "half" / "00000002", 3.0)
    (base / "broken" / "1").mkdir(parents=True)
    config = base / "models.config"
    config.write_text(CONFIG.format(base=base))
    monitoring = base / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    with start(
        f"--model_config_file={config}",
        f"--monitoring_config_file={monitoring}",
        "--max_num_load_retries=0",
        "--rest_api_enable_cors_support",
        "--enable_grpc_healthcheck_service=true",
        f"--grpc_socket_path={Path(base) / 'grpc.sock'}",
    ) as running:
        yield running


__all__ = ["server"]
