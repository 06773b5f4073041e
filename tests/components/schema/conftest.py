"""Statistics of small tables, as StatisticsGen would write them."""

from typing import Any

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from components.schema.infer import infer

GOOD: dict[str, list[Any]] = {
    "size": [3.0] * 8,
    "count": [2] * 8,
    "colour": ["red"] * 8,
    "label": ["a", "b"] * 4,
}


def statistics_of(**columns: list[Any]) -> Any:
    """Compute the statistics of a table."""
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))


@pytest.fixture(scope="session")
def statistics() -> Any:
    return statistics_of(
        size=[0.0, 10.0] * 20, count=[1, 5] * 20, colour=["red", "blue"] * 20, label=["b", "a"] * 20
    )


@pytest.fixture
def schema(statistics: Any) -> Any:
    return infer([statistics], "label", None)
