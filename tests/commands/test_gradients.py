"""gradients on the command line: the documented keys, the study file, early ends, wrong input."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import dlprobe

import dlprobe as package
from dlprobe.runs import Study, open_run

TINY = [
    "--data",
    "wine",
    "--depth",
    "2,3",
    "--width",
    "8",
    "--activation",
    "relu,tanh",
    "--init",
    "he_normal",
    "--seeds",
    "2",
    "--epochs",
    "1",
    "--quiet",
]


def test_json_has_the_documented_keys() -> None:
    data = dlprobe("gradients", *TINY, "--format", "json").data
    assert data["schema"] == "dlprobe-gradients/1"
    assert len(data["cells"]) == 4
    cell = data["cells"][1]
    assert {
        key: cell[key] for key in ("depth", "activation", "init", "norm", "width", "seeds")
    } == {
        "depth": 3,
        "activation": "relu",
        "init": "he_normal",
        "norm": "none",
        "width": 8,
        "seeds": [0, 1],
    }
    assert cell["verdict"] in ("vanishing", "exploding", "level", "diverged", "collapsed")
    assert cell["reason"]
    assert set(cell["initial"]["log10_error_signal_ratio"]) >= {"median", "low", "high", "theory"}
    assert set(cell["initial"]["log10_error_signal_ratio"]["theory"]) >= {"value", "low", "high"}
    assert set(cell["final"]) >= {
        "log10_error_signal_ratio",
        "train_loss",
        "train_accuracy",
        "val_accuracy",
    }
    for moment in ("initial", "final"):
        for profile in ("activation_variance", "error_signal_rms", "gradient_rms"):
            assert len(cell[moment][profile]) == 3


def test_table_fits_eighty_columns_and_says_what_to_type_next() -> None:
    out = dlprobe("gradients", *TINY).out
    table, hint = out.rsplit("next: ", 1)
    assert "relu · he_normal" in table
    assert max(len(line) for line in table.splitlines()) <= 80
    assert hint.startswith(f"dlprobe gradients {shlex.join(TINY)} -o study.h5   # keeps every run")


def test_one_is_said_in_the_singular() -> None:
    one = (
        "--depth",
        "2",
        "--width",
        "1",
        "--activation",
        "tanh",
        "--init",
        "he_normal",
        "--seeds",
        "1",
        "--steps",
        "1",
    )
    out = " ".join(dlprobe("gradients", "--data", "wine", *one, "--details").out.split())
    for said in ("on wine; one seed, one unit per layer.", "after 1 step", "1 net: 1 "):
        assert said in out


def test_one_hidden_layer_has_no_decay_to_show() -> None:
    """A layer compared with itself: no number where there is none."""
    out = dlprobe(
        "gradients",
        "--data",
        "wine",
        "--depth",
        "1",
        "--width",
        "8",
        "--activation",
        "silu",
        "--init",
        "he_normal",
        "--steps",
        "1",
        "--quiet",
    ).out
    assert "not evaluated" in out
    assert "level" not in out
    assert "nan" not in out


@pytest.mark.parametrize("init", ["normal(std=1e100)", "normal(std=1e160)"])
def test_nets_beyond_float64_diverge_without_a_warning_of_a_library(init: str) -> None:
    outcome = dlprobe(
        "gradients",
        "--depth",
        "2",
        "--width",
        "5",
        "--activation",
        "relu",
        "--init",
        init,
        "--data",
        "wine",
        "--steps",
        "1",
        "--dtype",
        "float64",
    )
    said = [
        line for line in outcome.err.splitlines() if not line.endswith("so far")
    ]  # where compiling takes long, how long is said
    assert (outcome.code, said) == (0, [])


def test_study_file_keeps_every_run_and_the_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    assert dlprobe("gradients", *TINY, "-o", str(path)).code == 0
    with package.open_run(path) as study:
        assert study.status == "finished"
        assert len(study.runs) == 8
        assert list(study.axes["depth"]) == [2, 3]
        assert len(study.table["verdict"]) == 4
    assert "relu-he_normal" in dlprobe("inspect", str(path)).out
    again = dlprobe("gradients", *TINY, "-o", str(path))
    assert again.code == 2
    assert "study.h5" in again.err
    assert dlprobe("gradients", *TINY, "-o", str(path), "--force").code == 0


def test_study_goes_on_and_more_seeds_join(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    whole = dlprobe("gradients", *TINY, "--format", "json", "-o", str(path)).data
    again = dlprobe("gradients", "--resume", str(path), "--format", "json", "--quiet")
    assert again.code == 0, again.err
    assert again.data["cells"] == whole["cells"]
    more = dlprobe(
        "gradients", "--resume", str(path), "--seeds", "3", "--format", "json", "--quiet"
    ).data
    assert [cell["seeds"] for cell in more["cells"]] == [[0, 1, 2]] * 4
    assert "give --seeds" in dlprobe("gradients", "--resume", str(path), "--depth", "3").err


def test_any_key_is_an_axis() -> None:
    small = [
        "--data",
        "wine",
        "--depth",
        "2",
        "--width",
        "8",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--seeds",
        "1",
        "--steps",
        "2",
        "--quiet",
    ]
    outcome = dlprobe(
        "gradients",
        *small,
        "--residual",
        "none,identity",
        "--dropout",
        "0,0.5",
        "--axis",
        "training.l2=0,0.1",
        "--format",
        "json",
    )
    assert outcome.code == 0, outcome.err
    axes = [cell["axes"] for cell in outcome.data["cells"]]
    assert len(axes) == 8
    assert axes[-1] == {"residual": "identity", "dropout": "0.5", "l2": "0.1"}
    assert len({row["label"] for row in outcome.data["trainable_depth"]}) == 8


def test_development_and_trainable_depth_are_in_the_json() -> None:
    data = dlprobe("gradients", *TINY, "--format", "json").data
    development = data["cells"][0]["development"]
    assert set(development) == {"steps", "log10_error_signal_ratio", "healed", "relapsed"}
    assert development["log10_error_signal_ratio"][0] == pytest.approx(
        data["cells"][0]["initial"]["log10_error_signal_ratio"]["median"], abs=0.5
    )
    assert set(data["trainable_depth"][0]) == {
        "label",
        "width",
        "theory",
        "xi_c",
        "measured",
        "fails_at",
    }
    theory = data["cells"][1]["initial"]["log10_error_signal_ratio"]["theory"]
    assert theory["decay_factor_low"] < theory["decay_factor"] < theory["decay_factor_high"]


def test_find_depth_says_where_each_row_breaks() -> None:
    small = [
        "--depth",
        "8",
        "--width",
        "16",
        "--activation",
        "sigmoid,relu",
        "--init",
        "normal(std=0.01)",
        "--seeds",
        "1",
        "--quiet",
    ]
    data = dlprobe("gradients", "--data", "wine", *small, "--find-depth", "--format", "json").data
    first, second = data["find_depth"]
    assert data["cells"] == []
    assert (first["activation"], first["breaks_at"], first["verdict"]) == (
        "sigmoid",
        2,
        "vanishing",
    )
    assert second["theory_breaks_at"] == 2
    assert {probe["depth"] for probe in first["tried"]} == {2}


def test_threads_change_no_number() -> None:
    one, two = (
        dlprobe("gradients", *TINY, "--threads", count, "--format", "json").data["cells"]
        for count in ("1", "2")
    )
    assert one == two


def test_configuration_file_gives_what_no_option_names(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(
        '[data]\ndata = "wine"\n[model]\nlayers = "9,9"\nactivation = "elu"\nnorm = "layer"\n'
        "[training]\nsteps = 2\n"
    )
    data = dlprobe(
        "gradients",
        "--depth",
        "2",
        "--seeds",
        "1",
        "--format",
        "json",
        "--quiet",
        str(tmp_path / "net.toml"),
    ).data
    (cell,) = data["cells"]
    assert (cell["activation"], cell["init"], cell["norm"], cell["width"], data["steps"]) == (
        "elu",
        "he_normal",
        "layer",
        9,
        2,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--depth", "0"], "--depth '0'"),
        (["--depth", "5,x"], "--depth 'x'"),
        (["--width", "-3"], "--width"),
        (["--activation", "rellu"], "did you mean 'relu'"),
        (["--init", "normal(std=-1)"], "std"),
        (["--norm", "bach"], "did you mean 'batch'"),
        (["--seeds", "0"], "--seeds"),
        (["--data", "nothing.csv"], "nothing.csv"),
        (["--layers", "5"], "--layers"),
        (["--axis", "bias"], "expected KEY=VALUE"),
        (["--axis", "init=zeros,ones"], "expected --init"),
        (["--axis", "bais=yes,no"], "did you mean 'bias'"),
        (["--axis", "lr=0.1,abc"], "training.lr = 'abc'"),
        (["--resume", "nothing.h5"], "nothing.h5"),
        (["--find-depth", "-o", "x.h5"], "leave -o out"),
    ],
)
def test_wrong_input_is_one_line(arguments: list[str], said: str) -> None:
    found = dlprobe("gradients", *arguments)
    assert found.code == 2
    assert said in found.err
    assert len(found.err.strip().splitlines()) == 1
    assert not found.out


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_leaves_a_study_of_what_had_ended(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    arguments = [
        "gradients",
        "--depth",
        "3",
        "--width",
        "30",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--seeds",
        "400",
        "--epochs",
        "3",
    ]
    command = [
        sys.executable,
        "-m",
        "dlprobe",
        *arguments,
        "--quiet",
        "--format",
        "json",
        "-o",
        str(path),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    journal = Path(f"{path}.journal")
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 200_000):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    data = json.loads(out)
    assert not data["complete"]
    with package.open_run(path) as study:
        assert study.status == "interrupted"
        assert len(study.runs) == len(data["cells"][0]["seeds"]) > 0


def test_a_regression_is_advised_by_r2_on_new_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the runs' own evaluations of the validation part."""
    monkeypatch.chdir(tmp_path)
    grid = "--data diabetes --depth 2 --width 8 --activation relu,tanh --init he_normal --seeds 2"
    ended = dlprobe("gradients", *grid.split(), "--steps", "300", "--lr", "0.01", "-o", "study.h5")
    assert re.search(r"^at 2 layers use .* \(R² 0\.\d\d on new samples\)", ended.out, re.MULTILINE)
    (used,) = dlprobe("gradients", "study.h5", "--format", "json").data["use"]
    with open_run(Path("study.h5")) as study:
        assert isinstance(study, Study)
        r2 = [
            run.final["val_r2"]
            for id, run in study.runs.items()
            if used["best"].startswith(study.coordinates[id]["activation"])
        ]
    assert used["best_score"] == pytest.approx(np.median(r2))
