"""train: from TOML, run file and options to a packed run file, and what an early end leaves."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import TINY, dlprobe

from dlprobe.commands.train.recorded_run import file_stem
from dlprobe.runs import open_single, pack_run
from dlprobe.training import trainer
from dlprobe.training.clock import PARTS


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(*arguments: str) -> dict[str, Any]:
    outcome = dlprobe("train", *arguments, "--format", "json")
    assert outcome.code == 0, outcome.err
    return outcome.data


def test_default_output_takes_the_next_free_number() -> None:
    assert [trained(*TINY)["path"] for _ in range(2)] == ["runs/wine-1.h5", "runs/wine-2.h5"]
    Path("runs/wine-3.h5.journal").touch()
    Path("runs/wine-1.h5").unlink()
    assert [trained(*TINY)["path"] for _ in range(2)] == ["runs/wine-1.h5", "runs/wine-4.h5"]


def test_where_no_folder_runs_can_be_made_the_way_out_is_told() -> None:
    Path("runs").write_text("a file in its place")
    outcome = dlprobe("train", *TINY)
    assert outcome.code == 2
    assert outcome.errors == [
        "error: runs/wine-1.h5 cannot be made: Not a directory; choose another place with -o"
    ]


@pytest.mark.parametrize(
    ("data", "stem"),
    [
        ("digits", "digits"),
        ("spirals(samples=600)", "spirals"),
        ("iris.csv", "iris"),
        ("my data.csv", "my_data"),
        ("images-idx3-ubyte.gz", "images-idx3-ubyte"),
        ("...", "run"),
    ],
)
def test_file_name_comes_from_the_data(data: str, stem: str) -> None:
    assert file_stem(data) == stem


def test_run_file_repeats_its_run() -> None:
    first = trained(*TINY, "--activation", "tanh", "--seed", "7", "-o", "first.h5")
    again = trained("first.h5", "-o", "again.h5")
    assert again["content_sha256"] == first["content_sha256"]
    assert again["train_loss"] == first["train_loss"]


def test_a_run_file_whose_data_file_has_changed_says_that_it_is_not_repeated() -> None:
    rows = [f"{i * 0.5},{i % 7},{'pq'[i % 2]}" for i in range(40)]
    Path("data.csv").write_text("\n".join(["a,b,y", *rows]))
    trained("--data", "data.csv", "--layers", "3", "--epochs", "1", "-o", "first.h5")
    assert dlprobe("train", "first.h5", "-o", "same.h5").err.count("warning:") == 0
    Path("data.csv").write_text("\n".join(["a,b,y", "7,7,p", *rows[1:]]))
    assert (
        "warning: data.csv has changed since first.h5 was trained on it: this run does not "
        "repeat that one"
    ) in dlprobe("train", "first.h5", "-o", "b.h5").err
    assert (
        "has changed" not in dlprobe("train", "first.h5", "--seed", "5", "-o", "c.h5").err
    )  # another split is other data anyway


def test_toml_and_options_make_the_same_run_and_options_win() -> None:
    Path("net.toml").write_text(
        '[data]\ndata = "wine"\n[model]\nlayers = [5, 4]\nactivation = "tanh"\n[training]\n'
        "epochs = 2\nseed = 7\n"
    )
    from_toml = trained("net.toml", "-o", "a.h5")
    from_options = trained(*TINY, "--activation", "tanh", "--seed", "7", "-o", "b.h5")
    assert from_toml["content_sha256"] == from_options["content_sha256"]
    assert (
        trained("net.toml", "--seed", "8", "-o", "c.h5")["content_sha256"]
        != from_toml["content_sha256"]
    )


def test_shown_configuration_is_toml_that_repeats_the_run() -> None:
    first = trained(*TINY, "--split", "70,30,0", "--optimizer", "adam(beta1=0.8)", "-o", "first.h5")
    Path("shown.toml").write_text(dlprobe("inspect", "first.h5", "--show", "config").out)
    assert trained("shown.toml", "-o", "again.h5")["content_sha256"] == first["content_sha256"]


def test_repeated_list_options_are_one_list() -> None:
    trained(
        "--data",
        "wine",
        "--epochs",
        "1",
        "--layers",
        "5",
        "--layers",
        "4",
        "--activation",
        "relu",
        "--activation",
        "leaky_relu(slope=0.2)",
        "-o",
        "run.h5",
    )
    with open_single(Path("run.h5")) as run:
        assert list(run.layers["units"]) == [5, 4, 3]
        assert run.layers["activation"][:2] == ("relu", "leaky_relu(slope=0.2)")


def test_force_does_not_overwrite_the_data_that_are_trained_on() -> None:
    Path("d.csv").write_text("a,y\n" + "\n".join(f"{i},{i % 2}" for i in range(40)))
    Path("link.csv").symlink_to("d.csv")
    for output in ("d.csv", "link.csv"):
        outcome = dlprobe("train", "--data", "./d.csv", "--steps", "1", "-o", output, "--force")
        assert (outcome.code, outcome.errors) == (
            2,
            [f"error: {output} is the data file that is trained on: choose another name with -o"],
        )
    assert Path("d.csv").read_text().startswith("a,y\n0,0\n")


def test_force_overwrites() -> None:
    first = trained(*TINY, "-o", "run.h5")
    second = trained(*TINY, "--seed", "1", "-o", "run.h5", "--force")
    assert first["content_sha256"] != second["content_sha256"]


def test_deep_sigmoid_net_with_glorot_weights_is_said_to_vanish() -> None:
    outcome = dlprobe(
        "train", "--layers", "30x10", "--activation", "sigmoid", "--steps", "1", "--details"
    )
    assert outcome.code == 0
    assert "▼ vanishing" in outcome.out
    assert "step 0: vanishing: the error signal of hidden_1" in " ".join(outcome.out.split())
    assert outcome.out.rstrip().endswith("next: dlprobe inspect runs/digits-1.h5")


def test_the_run_says_which_kernels_openblas_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They sum in another order, and so change content hashes."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Prescott")
    assert dlprobe("train", *TINY, "-o", "run.h5").code == 0
    shown = dlprobe("inspect", "run.h5", "--show", "environment").out
    assert "openblas coretype  Prescott" in shown


def test_diverged_run_says_so_and_exits_0() -> None:
    outcome = dlprobe(
        "train", *TINY, "--optimizer", "sgd", "--lr", "1e20", "-o", "run.h5", "--format", "json"
    )
    assert outcome.code == 0
    assert (outcome.data["status"], outcome.data["verdict"]) == ("diverged", "diverged")
    assert "hidden_" in outcome.data["reason"]
    assert dlprobe("inspect", "run.h5").code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--layers", "4,4", "--norm", "batch", "--init", "normal(std=1e18)", "--lr", "0"),
        (
            "--layers",
            "4,4",
            "--init",
            "normal(std=1e200)",
            "--dtype",
            "float64",
            "--l2",
            "1e-3",
            "--orthogonal-penalty",
            "1",
        ),
        ("--layers", "4,4", "--init", "normal(std=3e37)"),
        ("--layers", "4", "--optimizer", "adagrad", "--lr", "1e38"),
    ],
)
def test_huge_numbers_are_the_run_s_matter_and_no_warnings_of_a_library(
    options: tuple[str, ...],
) -> None:
    """NumPy's RuntimeWarning says nothing to somebody whose net explodes; here it would be an
    error (pytest's warnings) and exit code 2.
    """
    assert (
        dlprobe(
            "train",
            "--data",
            "wine",
            "--steps",
            "2",
            "--histogram-every",
            "1",
            *options,
            "-o",
            "run.h5",
        ).code
        == 0
    )
    for view in (
        (),
        ("--histograms",),
        ("--histograms", "--what", "weight"),
        ("--show", "metrics"),
        ("--statistic", "error_signal_rms"),
    ):
        outcome = dlprobe("inspect", "run.h5", *view)
        assert (outcome.code, outcome.err) == (0, ""), view


def test_net_without_hidden_layers_and_data_without_validation_part_train() -> None:
    data = trained(
        "--data", "linear", "--layers", "", "--split", "100,0,0", "--epochs", "1", "-o", "run.h5"
    )
    assert data["verdict"] == "not evaluated"
    assert data["val_loss"] is None
    assert dlprobe("inspect", "run.h5").code == 0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(MemoryError(), "failed", 2), (KeyboardInterrupt(), "interrupted", 130)],
)
def test_exception_in_training_leaves_a_packed_readable_run(
    error: BaseException, status: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, calls = trainer._block, []

    def fails_the_second_time(*arguments: Any) -> tuple[float, bool]:
        calls.append(1)
        if len(calls) == 2:
            raise error
        return block(*arguments)

    monkeypatch.setattr(trainer, "_block", fails_the_second_time)
    outcome = dlprobe("train", *TINY, "-o", "run.h5")
    assert outcome.code == code
    assert "run.h5" in outcome.err
    with open_single(Path("run.h5")) as run:
        assert run.status == status
        assert len(run.steps) > 0
    assert dlprobe("inspect", "run.h5").code == 0


def test_first_command_says_that_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlprobe.nn.cache.is_warm", lambda: False)
    monkeypatch.setattr("dlprobe.nn.ahead.begin", lambda processors: None)
    assert "note: compiling kernels (first time only) …" in dlprobe("train", *TINY).err.splitlines()
    assert "compiling" not in dlprobe("train", *TINY, "--quiet").err


def test_the_share_of_clipped_steps_is_told(tmp_path: Path) -> None:
    """Bounds that nothing and that everything reaches: 0 % and 100 % of the steps."""
    for bound, share in (("1e9", "0 % of the steps"), ("1e-9", "100 % of the steps")):
        found = dlprobe(
            "train",
            "--data",
            "wine",
            "--layers",
            "4",
            "--steps",
            "5",
            "--clip-global-norm",
            bound,
            "-o",
            f"{tmp_path}/{bound}.h5",
        )
        assert found.code == 0
        assert share in found.out
        assert f"clip global norm {float(bound):g}" in found.out


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_ctrl_c_while_packing_says_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pack_run._LevelWriter, "take", lambda *_: os.kill(os.getpid(), signal.SIGINT))
        outcome = dlprobe("train", *TINY, "-o", "run.h5")
    assert outcome.code == 130
    assert "`dlprobe inspect --pack run.h5` makes the run file" in outcome.err
    assert [path.name for path in Path().iterdir()] == ["run.h5.journal"]
    assert dlprobe("inspect", "--pack", "run.h5").code == 0
    assert [path.name for path in Path().iterdir()] == ["run.h5"]


@pytest.mark.parametrize("epochs", ["2", "20"])
@pytest.mark.parametrize(("data", "updates", "needed"), [("wine", 8, 50), ("digits", 68, 100)])
def test_a_net_that_learned_nothing_is_not_praised_on_any_screen(
    data: str, updates: int, needed: int, epochs: str
) -> None:
    done = dlprobe(
        "train", "--data", data, "--lr", "1e-9", "--epochs", epochs, "-o", "run.h5", "--quiet"
    )
    for screen in (
        done.out,
        dlprobe("inspect", "run.h5").out,
        dlprobe("inspect", "run.h5", "--format", "markdown").out,
    ):
        words = " ".join(screen.split())
        if epochs == "2":
            assert f"too short to tell: {updates} updates of the {needed} that are needed" in words
        else:
            assert "did not learn: error" in words
            assert "% in training" in words
            assert "guessing has" in words
        assert not [sign for sign in ("healthy", "✅", "learned well") if sign in screen]
        assert {line for line in screen.splitlines() if line.startswith("✓")} <= {
            "✓ level"
        }  # what the mark beside a measured signal means


def test_what_was_learned_is_the_first_thing_said_and_green_where_it_is_much() -> None:
    lines = dlprobe("train", "--data", "wine", "-o", "run.h5", "--quiet").out.splitlines()
    assert lines[0].startswith("✓ run.h5: learned well: error 0.0 % in training")
    found = dlprobe("inspect", "run.h5", "--format", "json").data
    assert found["state"] == "learned well"
    assert found["state_reason"].startswith("error 0.0 % in training")
    assert (found["verdict"], found["profile"]["final"]["verdict"]) == ("level", "level")


def test_what_was_waited_for_is_told_by_parts() -> None:
    began = time.perf_counter()
    told = trained(*TINY)
    elapsed = time.perf_counter() - began
    assert list(told["waited"]) == list(PARTS)
    assert 0.5 * elapsed < sum(told["waited"].values()) < elapsed
    assert told["waited"]["training"] == pytest.approx(told["seconds"])
