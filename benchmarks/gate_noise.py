"""How often Gate 1 is wrong: the same configuration against itself, and a model worse by twice the margin.

`python -m benchmarks.gate_noise` trains MNIST's digits, most of which are left to judge on, with 20 seeds through the
pipeline, and lets Gate 1 compare each model with each other. Smaller test sets are parts of the real one. A model worse
by twice `max_drop` is one of the 20, of which so many right answers were made wrong that its accuracy is that much
below the other's. Prints counts for every size.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from components.evaluate.answers import Answers, Ids, read_answers
from components.evaluate.config import EvaluateConfig
from components.evaluate.estimates import compare
from components.evaluate.gate import checks
from components.evaluate.metrics import EXAMPLE_COUNT, Results, Slice, Value, Wanted
from components.evaluate.paired import Comparison
from components.names import BASELINE, CANDIDATE, PREDICTIONS_FILE
from pipeline.config import Config, load_config
from pipeline.summary import read_summary

REPOSITORY = Path(__file__).resolve().parent.parent
SIZES = (100, 382, 1000, 2000, 4000)
#: A large test split: of a small one, parts say more of its examples than of the models.
SPLIT = "data.ratios={train: 2, eval: 1, test: 7}"
console = Console(highlight=False, width=110)


def train(path: str, seed: int, folder: Path, config: Config) -> Answers:
    """Run the pipeline up to Gate 1 with a seed; return what the model answered to the test split."""
    sets = [
        SPLIT,
        f"train.seed={seed}",
        "evaluate.thresholds=[{metric: accuracy, lower_bound: 0.0}]",
        f"evaluate.slices={list(config.evaluate.slice_features)}",
        "optimize.enabled=false",
        "canary.enabled=false",
        "serve.examples=0",
        f"push.bucket={folder}/bucket-{seed}",
        f"pipeline_root={folder}/artifacts",
        f"runs={folder}/runs-{seed}",
    ]
    command = [sys.executable, "run_local.py", "--config", path]
    command += [part for override in sets for part in ("--set", override)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"seed {seed}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    evaluation = Path(read_summary(f"{folder}/runs-{seed}").outputs["Evaluator"]["evaluation"])
    classes = len(config.data.classes or [])
    return read_answers(evaluation / PREDICTIONS_FILE, [CANDIDATE], classes, config.evaluate.slice_features)


def worse(labels: Ids, chosen: Ids, classes: int, accuracy: float, random: np.random.Generator) -> Ids:
    """Make right answers wrong at random, until only this share is right."""
    right = np.flatnonzero(chosen == labels)
    hit = random.choice(right, max(len(right) - round(accuracy * len(labels)), 0), replace=False)
    changed = chosen.copy()
    changed[hit] = (changed[hit] + 1) % classes
    return changed


def outcome(config: EvaluateConfig, classes: Sequence[str], answers: Answers) -> str:
    """Judge the candidate of two models as Gate 1 does: `refused`, `undecided` or `passed`."""
    slices: list[Slice] = [()]
    slices += [((feature, value),) for feature, (values, _) in answers.slices.items() for value in values]
    counts = {where: Value(int(answers.rows(where).sum())) for where in slices}
    results: Results = {where: {CANDIDATE: {EXAMPLE_COUNT: count}} for where, count in counts.items()}

    def compared(want: Wanted, where: Slice) -> Comparison | None:
        return compare(want, answers, CANDIDATE, BASELINE, answers.rows(where))

    found = {check.status for check in checks(config, classes, results, compared)}
    return "refused" if "failed" in found else "undecided" if "undecided" in found else "passed"


def drawn(one: Answers, mine: Ids, its: Ids, rows: Ids) -> Answers:
    """Put two models' answers to some examples side by side."""
    return Answers(
        classes=one.classes,
        labels=one.labels[rows],
        chosen={CANDIDATE: mine[rows], BASELINE: its[rows]},
        given={},
        slices={feature: (values, ids[rows]) for feature, (values, ids) in one.slices.items()},
        scores=lambda model, class_id: np.zeros(len(rows)),
    )


def pairs(models: Sequence[Answers], drop: float, size: int) -> Iterator[Answers]:
    """Yield a part of the test split for each ordered pair of models, the first worse by `drop`."""
    random = np.random.default_rng(size)
    for candidate, baseline in itertools.permutations(models, 2):
        labels, mine, its = candidate.labels, candidate.chosen[CANDIDATE], baseline.chosen[CANDIDATE]
        if drop:
            mine = worse(labels, mine, candidate.classes, float((its == labels).mean()) - drop, random)
        yield drawn(candidate, mine, its, random.choice(len(labels), size, replace=False))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", default="configs/mnist.yaml", help="its data.classes must be listed")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--max-drop", type=float, default=0.01, help="of the accuracy on all examples")
    options = parser.parse_args()
    config = load_config(options.config)
    classes = config.data.classes or []
    thresholds = [{"metric": "accuracy", "max_drop": options.max_drop}]
    evaluate = EvaluateConfig.model_validate({"thresholds": thresholds})
    with tempfile.TemporaryDirectory() as name:
        seeds = track(range(1, options.seeds + 1), "training", console=console, transient=True)
        models = [train(options.config, seed, Path(name), config) for seed in seeds]
    whole = len(models[0].labels)
    shares = [float((one.chosen[CANDIDATE] == one.labels).mean()) for one in models]
    console.print(
        f"{options.config}, {len(models)} seeds, {whole:,} test examples: accuracy {min(shares):.4f} to "
        f"{max(shares):.4f}, standard deviation {np.std(shares):.4f}; max_drop {options.max_drop}"
    )
    table = Table(
        title=f"{len(models) * (len(models) - 1)} comparisons of each kind: refused / undecided / passed"
    )
    for heading in ("test examples", "same configuration", "worse by twice max_drop"):
        table.add_column(heading, justify="right")
    for size in (*(size for size in SIZES if size < whole), whole):
        cells = []
        for drop in (0.0, 2 * options.max_drop):
            found = [outcome(evaluate, classes, pair) for pair in pairs(models, drop, size)]
            cells.append(
                " / ".join(
                    f"{found.count(kind) / len(found):.1%}" for kind in ("refused", "undecided", "passed")
                )
            )
        table.add_row(f"{size:,}", *cells)
    console.print(table)
    console.print("With evaluate.undecided: refuse, what is undecided is refused too.")


if __name__ == "__main__":
    main()
