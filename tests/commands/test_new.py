"""`new`: what it writes reads back, trains, and says why a preset chose what it chose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import NO_BYTECODE, command_of, dlprobe, environment

from dlprobe.config import RunConfig, from_toml
from dlprobe.config.presets import PRESETS


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_options_it_is_the_default_configuration() -> None:
    assert dlprobe("new").code == 0
    assert from_toml("net.toml") == RunConfig()


def test_the_guidelines_are_followed_and_explained() -> None:
    data = dlprobe(
        "new", "--preset", "guidelines", "--layers", "20x6", "-o", "deep.toml", "--format", "json"
    ).data
    config, text = from_toml("deep.toml"), Path("deep.toml").read_text(encoding="utf-8")
    model, training = config.model, config.training
    assert (str(model.activation), str(model.init), str(model.norm)) == (
        "elu",
        "he_normal",
        "batch",
    )
    assert (
        str(training.optimizer),
        str(training.schedule),
        training.early_stopping is not None,
    ) == ("momentum", "one_cycle", True)
    assert len(data["reasons"]) == 6
    assert all(f"# {reason}" in text for reason in data["reasons"].values())


def test_a_shallow_net_gets_no_normalization_and_the_command_line_wins() -> None:
    assert (
        dlprobe("new", "--preset", "guidelines", "--layers", "20", "--activation", "tanh").code == 0
    )
    config = from_toml("net.toml")
    assert (config.model.norm, str(config.model.activation)) == (None, "tanh")
    assert "ELU" not in Path("net.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("preset", PRESETS)
def test_what_it_writes_trains(preset: str) -> None:
    assert (
        dlprobe(
            "new", "--preset", preset, "--data", "wine", "--layers", "5,4", "--epochs", "2"
        ).code
        == 0
    )
    assert dlprobe("train", "net.toml", "-o", "run.h5").code == 0


def test_nothing_is_overwritten_by_chance() -> None:
    Path("net.toml").write_text("mine", encoding="utf-8")
    assert dlprobe("new").code == 2
    assert Path("net.toml").read_text(encoding="utf-8") == "mine"
    assert dlprobe("new", "--force").code == 0


def test_an_unknown_preset_says_which_there_are() -> None:
    assert "known: defaults, guidelines" in dlprobe("new", "--preset", "guideline").err


def test_a_full_disk_leaves_no_half_configuration(tmp_path: Path) -> None:
    limited = [
        "bash",
        "-c",
        'ulimit -f 1; exec "$@"',
        "limited",
        *command_of("new", "-o", "net.toml"),
    ]
    done = subprocess.run(
        limited,
        cwd=tmp_path,
        env=environment(**NO_BYTECODE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "error: net.toml cannot be written: File too large: give another place\n",
    )
    assert not (tmp_path / "net.toml").exists()
