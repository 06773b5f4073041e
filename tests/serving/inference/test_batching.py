"""The batcher by itself: what joins, what waits, what is refused."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import Code, ServingError
from serving.inference.batching import Batcher
from serving.inference.batching_options import BatchingOptions, read_batching
from serving.inference.joining import join
from serving.messages.dtypes import Array
from serving.messages.text_config import ServerConfigError
from serving.ops.metrics import Metrics


class Model:
    """Doubles, and remembers the batches that it saw."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[Array] = []

    async def __call__(self, inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        self.batches.append(inputs["x"])
        await asyncio.sleep(self.seconds)
        return dict.fromkeys(wanted, inputs["x"] * 2 if inputs["x"].dtype.kind != "O" else inputs["x"])


def batcher(model: Any, **options: Any) -> Batcher:
    return Batcher(BatchingOptions(**{"num_batch_threads": 1, **options}), model, Metrics())


async def ask(batch: Batcher, value: Any, **kwargs: Any) -> list[Any]:
    outputs = await batch.submit({"x": np.asarray(value)}, ["y"], **kwargs)
    result: list[Any] = outputs["y"].tolist()
    return result


def test_what_comes_together_runs_together() -> None:
    model = Model()

    async def main() -> None:
        joined = batcher(model)
        answers = await asyncio.gather(*(ask(joined, [float(n)]) for n in range(5)), ask(joined, [7.0, 8.0]))
        assert answers == [[0.0], [2.0], [4.0], [6.0], [8.0], [14.0, 16.0]]

    asyncio.run(main())
    assert [len(batch) for batch in model.batches] == [7]


def test_batches_fill_while_one_runs_and_never_exceed_the_limit() -> None:
    model = Model(0.02)

    async def main() -> None:
        joined = batcher(model, max_batch_size=4)
        await asyncio.gather(*(ask(joined, [n]) for n in range(10)))

    asyncio.run(main())
    assert [len(batch) for batch in model.batches] == [4, 4, 2]


def test_a_timeout_waits_for_company() -> None:
    model = Model()

    async def main() -> float:
        joined = batcher(model, batch_timeout_micros=80_000, max_batch_size=100)
        started = time.monotonic()

        async def later() -> None:
            await asyncio.sleep(0.03)
            await ask(joined, [1])

        await asyncio.gather(ask(joined, [0]), later())
        return time.monotonic() - started

    assert asyncio.run(main()) >= 0.075
    assert [len(batch) for batch in model.batches] == [2]


def test_other_shapes_run_apart_unless_padded() -> None:
    model = Model()

    async def main() -> None:
        apart = batcher(model)
        await asyncio.gather(ask(apart, [[1, 2]]), ask(apart, [[1, 2, 3]]), ask(apart, [[5, 6]]))
        padded = batcher(model, pad_variable_length_inputs=True)
        first, second = await asyncio.gather(ask(padded, [[4]]), ask(padded, [[1, 2, 3]]))
        assert first == [[8, 8, 8]], "padded with its own first value, as TensorFlow Serving does"
        assert second == [[2, 4, 6]]

    asyncio.run(main())
    assert [batch.shape for batch in model.batches] == [(2, 2), (1, 3), (2, 3)]


def test_allowed_sizes_are_filled_with_the_first_row() -> None:
    model = Model()

    async def main() -> None:
        sized = batcher(model, max_batch_size=8, allowed_batch_sizes=(2, 8))
        assert await ask(sized, [3, 4, 5]) == [6, 8, 10]

    asyncio.run(main())
    assert model.batches[0].tolist() == [3, 4, 5, 3, 3, 3, 3, 3]


def test_large_requests_are_split_where_that_is_on() -> None:
    model = Model()

    async def main() -> None:
        split = batcher(
            model, max_batch_size=100, enable_large_batch_splitting=True, max_execution_batch_size=4
        )
        assert await ask(split, list(range(10))) == [2 * n for n in range(10)]
        with pytest.raises(ServingError, match="larger than maximum input batch size 4"):
            await ask(batcher(model, max_batch_size=4), list(range(5)))

    asyncio.run(main())
    assert [len(batch) for batch in model.batches] == [4, 4, 2]


def test_a_full_queue_answers_unavailable() -> None:
    async def main() -> None:
        full = batcher(Model(0.05), max_batch_size=1, max_enqueued_batches=2)
        tasks = [asyncio.ensure_future(ask(full, [n])) for n in range(2)]
        await asyncio.sleep(0.01)
        tasks += [asyncio.ensure_future(ask(full, [n])) for n in range(3)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        refused = [error for error in results if isinstance(error, ServingError)]
        assert {error.code for error in refused} == {Code.UNAVAILABLE}
        assert len(refused) in (1, 2)

    asyncio.run(main())


def test_expired_and_cancelled_requests_are_not_run() -> None:
    model = Model(0.05)

    async def main() -> None:
        slow = batcher(model, max_batch_size=1)
        first = asyncio.ensure_future(ask(slow, [1]))
        await asyncio.sleep(0.01)
        late = asyncio.ensure_future(ask(slow, [2], deadline=time.monotonic() + 0.01))
        gone = asyncio.ensure_future(ask(slow, [3]))
        await asyncio.sleep(0)
        gone.cancel()
        assert await first == [2]
        with pytest.raises(ServingError) as caught:
            await late
        assert caught.value.code is Code.DEADLINE_EXCEEDED

    asyncio.run(main())
    assert [batch.tolist() for batch in model.batches] == [[1]]


def test_outputs_that_cannot_be_split_are_computed_apart() -> None:
    async def sums(inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        return {name: inputs["x"].sum() for name in wanted}

    async def main(**options: Any) -> list[Any]:
        joined = batcher(sums, **options)
        return list(await asyncio.gather(ask(joined, [1]), ask(joined, [2]), return_exceptions=True))

    assert asyncio.run(main()) == [1, 2]
    # With rows filled in, even that of one request would be of others too.
    for error in asyncio.run(main(allowed_batch_sizes=(4,), max_batch_size=4)):
        assert isinstance(error, ServingError)
        assert error.code is Code.FAILED_PRECONDITION
        assert "0th dimension" in error.message


class Picky(Model):
    """Refuses a batch with a negative number, and tells all its values."""

    async def __call__(self, inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        outputs = await super().__call__(inputs, wanted)
        if (inputs["x"] < 0).any():
            raise ServingError(Code.INVALID_ARGUMENT, f"negative: {inputs['x'].tolist()}")
        return outputs


def test_only_the_guilty_request_of_a_batch_fails_with_its_own_text() -> None:
    model = Picky()

    async def main() -> list[Any]:
        joined = batcher(model)
        late = time.monotonic() + 0.01
        asked = [ask(joined, [1, 2]), ask(joined, [-3]), ask(joined, [4]), ask(joined, [5], deadline=late)]
        model.seconds = 0.02
        return list(await asyncio.gather(*asked, return_exceptions=True))

    good, guilty, other, late = asyncio.run(main())
    assert good == [2, 4]
    assert other == [8]
    assert isinstance(guilty, ServingError)
    assert guilty.message == "negative: [-3]"
    assert isinstance(late, ServingError)
    assert late.code is Code.DEADLINE_EXCEEDED
    assert [batch.tolist() for batch in model.batches] == [[1, 2, -3, 4, 5], [1, 2], [-3], [4]]


def test_requests_that_cannot_be_put_together_are_run_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(requests: Sequence[Mapping[str, Array]], padding: int) -> dict[str, Array]:
        if len(requests) > 1:
            raise MemoryError
        return join(requests, padding)

    monkeypatch.setattr("serving.inference.batching.join", refuse)

    async def main() -> None:
        joined = batcher(Model())
        assert await asyncio.gather(*(ask(joined, [n]) for n in range(3))) == [[0], [2], [4]]

    asyncio.run(main())


def test_a_request_without_rows_runs_alone_and_gets_an_empty_answer() -> None:
    model = Model()

    async def main() -> list[Any]:
        joined = batcher(model, allowed_batch_sizes=(4,), max_batch_size=4)
        return list(await asyncio.gather(ask(joined, [1.0]), ask(joined, np.zeros(0)), ask(joined, [2.0])))

    assert asyncio.run(main()) == [[2.0], [], [4.0]]
    assert sorted(len(batch) for batch in model.batches) == [0, 4]


def test_each_request_is_answered_at_its_deadline_while_the_batch_runs() -> None:
    model = Model(0.4)

    async def main() -> None:
        joined = batcher(model, max_batch_size=2)
        started = time.monotonic()
        late = [ask(joined, [n], deadline=started + 0.05) for n in range(2)]
        queued = ask(joined, [7], deadline=started + 0.1)
        patient = ask(joined, [8])
        results = await asyncio.gather(*late, queued, return_exceptions=True)
        assert time.monotonic() - started < 0.3
        assert [type(error) for error in results] == [ServingError] * 3
        assert await patient == [16]

    asyncio.run(main())
    assert [batch.tolist() for batch in model.batches] == [[0, 1], [8]]


def test_one_client_alone_is_answered_at_once_and_company_together() -> None:
    ran: list[int] = []

    def now(inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        ran.append(len(inputs["x"]))
        return dict.fromkeys(wanted, inputs["x"] * 2)

    async def main() -> None:
        joined = Batcher(BatchingOptions(num_batch_threads=1), Model(), Metrics(), now)
        for n in range(3):
            assert await ask(joined, [n]) == [2 * n]
        assert ran == [1, 1, 1]
        together = await asyncio.gather(*(ask(joined, [n]) for n in range(4)))
        assert together == [[0], [2], [4], [6]]
        assert ran[3:] == [1, 3], "the first could not know of the others"
        await asyncio.gather(*(ask(joined, [n]) for n in range(4)))
        assert ran[5:] == [4]
        assert await ask(joined, [5]) == await ask(joined, [5]) == [10]
        assert ran[6:] == [1, 1]

    asyncio.run(main())


def test_what_waits_for_long_runs_is_shared_among_the_threads() -> None:
    model = Model(0.05)

    async def main(**options: Any) -> None:
        joined = batcher(model, num_batch_threads=2, **options)
        for _ in range(2):
            await asyncio.gather(*(ask(joined, [n]) for n in range(8)))

    asyncio.run(main(share=True))
    assert [len(batch) for batch in model.batches] == [8, 4, 4], "the first cannot be known to be long"
    model.batches.clear()
    asyncio.run(main())
    assert [len(batch) for batch in model.batches] == [8, 8]


def test_a_quick_batch_that_fails_is_run_again_apart() -> None:
    def now(inputs: Mapping[str, Array], wanted: Sequence[str]) -> dict[str, Array]:
        if len(inputs["x"]) > 1:
            raise ValueError("guilty")
        return dict.fromkeys(wanted, inputs["x"])

    async def main() -> list[Any]:
        joined = Batcher(BatchingOptions(num_batch_threads=1), Picky(), Metrics(), now)
        asked = [ask(joined, [n]) for n in (1, 2, -3, 4)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    first, good, guilty, other = asyncio.run(main())
    assert (first, good, other) == ([1], [4], [8])
    assert isinstance(guilty, ServingError)
    assert guilty.message == "negative: [-3]"


def test_inputs_without_a_common_batch_are_refused() -> None:
    async def main() -> None:
        with pytest.raises(ServingError, match="at least one dimension"):
            await ask(batcher(Model()), 1)
        with pytest.raises(ServingError, match="equal 0th-dimension"):
            await batcher(Model()).submit({"x": np.zeros(1), "z": np.zeros(2)}, ["y"])

    asyncio.run(main())


def test_parameters_file(tmp_path: Path) -> None:
    path = tmp_path / "batching.config"
    path.write_text("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
    options = read_batching(str(path))
    assert (options.max_batch_size, options.allowed_batch_sizes) == (8, (4, 8))
    for text, said in (
        ("allowed_batch_sizes: 4", "must be in ascending order and end with 1000"),
        ("max_batch_size { value: 0 }", "max_batch_size must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "must not be negative"),
        ("batch_size: 4", "Error parsing text-format tensorflow.serving.BatchingParameters"),
    ):
        path.write_text(text)
        with pytest.raises(ServerConfigError, match=said):
            read_batching(str(path))
