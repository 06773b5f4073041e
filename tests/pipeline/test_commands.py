"""Commands that are printed: the shell reads them as they were meant."""

import shlex

import pytest

from pipeline import commands


@pytest.mark.parametrize("config", ["my configs/a#b.yaml", "configs/it's.yaml", "c.yaml"])
def test_a_printed_command_survives_the_shell_with_its_configuration_and_overrides(config: str) -> None:
    overrides = ["data.path=my data/*.csv", "data.classes=[a, b]"]
    command = commands.slipway("schema --update", config, overrides)
    program, *rest = shlex.split(command)
    assert program.endswith("slipway")
    assert rest == ["schema", "--update", "-c", config, "--set", overrides[0], "--set", overrides[1]]


def test_the_default_configuration_is_not_spelt_out() -> None:
    assert commands.options("configs/digits.yaml") == ""
    assert commands.options("configs/digits.yaml", ["train.epochs=1"]) == " --set train.epochs=1"
