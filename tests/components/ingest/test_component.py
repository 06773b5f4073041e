import warnings
from pathlib import Path

import pytest

from components.ingest.config import DataConfig
from tests.components.ingest.conftest import csv_file


@pytest.mark.run
@pytest.mark.filterwarnings("ignore")  # TFX's own deprecations, by the dozen
def test_statistics_read_it_and_the_cache_follows_the_data(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tfx.components import StatisticsGen
        from tfx.orchestration import metadata, pipeline
        from tfx.orchestration.local.local_dag_runner import LocalDagRunner

        from components.ingest.component import Ingest
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(100)]
    raw = csv_file(tmp_path / "a.csv", ("text", "label"), *rows)

    def runs() -> tuple[int, int]:
        """Run; how often Ingest and StatisticsGen have been executed so far."""
        ingest = Ingest(DataConfig(format="csv", path=str(raw)), inputs=["text"], code_digest="1")
        statistics = StatisticsGen(examples=ingest.outputs["examples"])
        LocalDagRunner().run(
            pipeline.Pipeline(
                "test",
                str(tmp_path / "root"),
                components=[ingest, statistics],
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "m.db")),
                beam_pipeline_args=["--runner=FnApiRunner", "--no_pipeline_type_check"],
            )
        )
        root = tmp_path / "root"
        made = [root / "Ingest" / "examples", root / "StatisticsGen" / "statistics"]
        return len(list(made[0].iterdir())), len(list(made[1].iterdir()))

    assert runs() == (1, 1)
    assert runs() == (1, 1), "unchanged data is cached"
    csv_file(raw, ("text", "label"), *rows, ("more", "a"))
    assert runs() == (2, 2), "changed data is not"
    csv_file(raw, ("text", "label"), *rows, ("worse",))
    with pytest.raises(ValueError, match="row 102: 1 cells, but there are 2 columns"):
        runs()
