"""Statistics of small tables, as StatisticsGen would write them."""

from typing import Any

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from components.schema.infer import infer

GOOD: dict[str, list[Any]] = {
    "size": [0.0, 10.0] * 20,
    "colour": ["red", "blue"] * 20,
    "label": ["a", "b"] * 20,
}


def statistics_of(**columns: list[Any]) -> Any:
    """Compute the statistics of a table."""
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))


@pytest.fixture(scope="session")
def statistics() -> Any:
    return statistics_of(**GOOD)


@pytest.fixture
def schema(statistics: Any) -> Any:
    return infer([statistics], "label", None)
