"""JSON by RapidJSON's rules, where they are not Python's."""

import math

import pytest

from serving.errors import ServingError
from serving.rest.document import parse


def test_numbers_that_are_none_are_read_by_all_their_names() -> None:
    document = parse(b'{"a": [NaN, -NaN, Inf, -Inf, Infinity, -Infinity], "Inf": ["-Inf", "a\\"NaN"]}')
    numbers = document["a"]
    assert [math.isnan(number) for number in numbers[:2]] == [True, True]
    assert numbers[2:] == [math.inf, -math.inf, math.inf, -math.inf]
    assert document["Inf"] == ["-Inf", 'a"NaN']


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "-" + "9" * 5000, "1.5E+999"])
@pytest.mark.parametrize("other", ["1", "NaN"])
def test_a_number_beyond_every_double_is_an_error_where_it_stands(number: str, other: str) -> None:
    text = f'{{"instances": [{other}, {number}]}}'
    with pytest.raises(ServingError) as error:
        parse(text.encode())
    assert error.value.message == (
        f"JSON Parse error: Number too big to be stored in double. at offset: {text.index(number)}"
    )


def test_large_numbers_that_a_double_holds_are_read() -> None:
    assert parse(b'{"a": [1e308, 1e-400, NaN, 18446744073709551616]}')["a"][:2] == [1e308, 0]
    assert parse(b'{"a": [18446744073709551616, NaN]}')["a"][0] == 2**64


def test_of_two_equal_keys_the_last_counts() -> None:
    assert parse(b'{"a": 1, "a": 2}') == {"a": 2}
