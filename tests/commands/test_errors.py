"""Whatever is typed wrong: one line on stderr that names it, exit code 2, nothing on stdout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import ROOT, TINY, dlprobe

from dlprobe import registry

WRONG = [
    (
        ["gradients", "--activation", "relu,rellu"],
        "--activation rellu: unknown activation 'rellu': did you mean 'relu'",
    ),
    (["help", "trian"], "did you mean 'train'"),
    (["trian"], "did you mean 'train'"),
    (["train", "--epoch", "5"], "did you mean '--epochs'"),
    (["train", "--learning-rate", "5"], "did you mean '--lr'"),
    (["train", "--hidden", "5"], "did you mean '--layers'"),
    (["gradients", "--layers", "5"], "has no option '--layers': see"),  # not '--outliers'
    (["train", "--batch_size", "5"], "did you mean '--batch-size'"),
    (["train", "-o"], "requires an argument"),
    (["train", "--epochs", "0"], "--epochs"),
    (["train", "--epochs", "2", "--steps", "3"], "epochs"),
    (["train", "--activation", "rellu"], "did you mean 'relu'"),
    (["train", "--activation", "leaky_relu(slop=1)"], "did you mean 'slope'"),
    (["train", "--layers", "100,0"], "--layers"),
    (["train", "--data", "nothing.csv"], "nothing.csv"),
    (["train", "--data", "digit"], "did you mean 'digits'"),
    (["train", "nothing.toml"], "nothing.toml"),
    (["train", "nothing.h5"], "nothing.h5"),
    (["train", "a.toml", "b.toml"], "b.toml"),
    (["train", "broken.toml"], "broken.toml, line 2"),
    (["train", "--format", "xml"], "known: table, json"),
    (["train", "wine"], "the data set of that name is chosen with --data wine"),
    (["train", "table.csv"], "CSV data are given with --data table.csv"),
    (["train", "--dry-run", "table.npz"], "NPZ data are given with --data table.npz"),
    (["train", "-o", "."], "is a folder: give a file in it with -o"),
    (["train", "-o", ""], "is a folder"),
    (["train", "-o", "run.h5/inner.h5"], "run.h5/inner.h5 cannot be made: Not a directory"),
    (
        ["gradients", "--depth", "2", "--seeds", "0"],
        "invalid value for '--seeds': expected a number >= 1: see",
    ),
    (
        ["gradients", "--depth", "2", "--seeds", "two"],
        "invalid value for '--seeds': expected a whole number: see",
    ),
    (["inspect"], "RUN"),
    (["inspect", "nothing.h5"], "nothing.h5"),
    (["inspect", "empty.h5"], "empty.h5"),
    (["inspect", "text.h5"], "text.h5"),
    (["inspect", "cut.h5"], "cut.h5"),
    (["inspect", "."], "regular file"),
    (["inspect", "run.h5", "--statistic", "error_signal"], "did you mean 'error_signal_rms'"),
    (["inspect", "run.h5", "--statistic", "stat/x"], "group"),
    (["inspect", "run.h5", "--statistic", "val_loss", "--over", "layer"], "val_loss"),
    (["inspect", "run.h5", "--show", "layer"], "did you mean 'layers'"),
    (["inspect", "run.h5", "--show", "layers", "--statistic", "val_loss"], "--show"),
    (["inspect", "run.h5", "--over", "layer"], "give --statistic NAME too"),
    (["inspect", "run.h5", "--run", "a"], "--run"),
    (
        ["compare", "broken.toml", "init"],
        "broken.toml is no axis: a configuration is given with --config broken.toml",
    ),
    (["inspect", "run.h5", "--pack"], "has no journal, it is packed already: leave --pack out"),
    (["train", "--init", "he"], "did you mean 'he_normal' or 'he_uniform'"),
    (
        ["compare", "activatoin"],
        "did you mean 'activation'? known: those that dlprobe compare --help shows",
    ),
    (
        ["bias-variance", "--over", "dropuot=0.1"],
        "did you mean 'dropout'? known: those that dlprobe bias-variance --help shows",
    ),
    (["explain", "train"], "dlprobe help train shows the command"),
    (["explain", "jsn"], "did you mean 'json'"),
    (["explain", "swis"], "did you mean 'silu'?"),
    (["explain", "rellu"], "did you mean 'relu'"),
    (["explain", "linear"], "activation:linear or data:linear"),
    (["explain", "kind:relu"], "unknown kind 'kind'"),
    (["explain", "loss:relu"], "unknown loss 'relu'"),
    (["explain", "relu(slope=1)"], "relu takes no parameters"),
    (["train", "--dry-run", "--lr", "fast"], "--lr"),
    (["train", "--dry-run", "run.h5", "--batch-size", "-1"], "--batch-size"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good run and files that are none."""
    path = tmp_path_factory.mktemp("wrong")
    assert dlprobe("train", *TINY, "-o", str(path / "run.h5")).code == 0
    (path / "empty.h5").touch()
    (path / "text.h5").write_text("not a run")
    (path / "cut.h5").write_bytes((path / "run.h5").read_bytes()[:5000])
    (path / "table.csv").write_text("a,y\n1,2\n")
    (path / "broken.toml").write_text("[model]\nlayers = = 3\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "says"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG]
)
def test_wrong_input_is_one_line(
    arguments: list[str], says: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    outcome = dlprobe(arguments[0], "--quiet", *arguments[1:])
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith("error: ")
    assert says in line


@pytest.mark.parametrize("kind", registry.kinds())
def test_an_unknown_name_is_told_in_a_few_lines_of_eighty_however_many_there_are(kind: str) -> None:
    outcome = dlprobe("explain", f"{kind}:qqq")
    assert len(outcome.err) <= 4 * 80
    names = list(registry.records(kind))
    assert f"dlprobe explain {kind} shows" in outcome.err or all(
        name in outcome.err for name in names
    )


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("inspect", "t1"), "t1.h5"),
        (("check", "t2.h5"), "t1.h5"),
        (("diff", "t1.h5", "t1.h"), "t1.h5"),
        (("train", "net.tml"), "net.toml"),
        (("train", "--data", "c.cvs"), "c.csv"),
        (("data", "sub/c.cvs"), "sub/c.csv"),
        (("import", "c.cvs"), "c.csv"),
        (("check", "t1.h5", "--baseline", "know.json"), "known.json"),
    ],
)
def test_a_file_that_is_not_there_suggests_the_one_beside_it(
    arguments: tuple[str, ...], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", "t1.h5")
    for name in ("net.toml", "c.csv", "sub/c.csv", "known.json", "unlike"):
        Path(name).touch()
    outcome = dlprobe(*arguments)
    assert outcome.code == 2
    assert f"did you mean {meant!r}?" in outcome.errors[0]


def test_existing_file_is_not_overwritten(folder: Path) -> None:
    before = (folder / "run.h5").read_bytes()
    outcome = dlprobe("train", *TINY, "-o", str(folder / "run.h5"))
    assert outcome.code == 2
    assert "--force" in outcome.errors[0]
    assert (folder / "run.h5").read_bytes() == before


def test_text_that_acts_on_a_terminal_is_shown_not_sent() -> None:
    outcome = dlprobe("explain", "a\x1b[2Jb")
    assert "\x1b" not in outcome.err
    assert "\\x1b[2Jb" in outcome.err


def test_debug_shows_where_an_error_came_from() -> None:
    assert "Traceback" in dlprobe("explain", "rellu", "--debug").err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "out of memory"),
        (OSError(28, "No space left on device", "x.h5"), "x.h5: No space left on device"),
        (RuntimeError("can't start new thread"), "raise the limit of processes"),
        (KeyError("k"), "internal error, KeyError"),
    ],
)
def test_any_exception_is_one_line_and_exit_2(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(kind: str) -> None:
        raise error

    monkeypatch.setattr("dlprobe.registry.records", fail)
    outcome = dlprobe("explain", "activation")
    assert outcome.code == 2
    assert says in outcome.errors[0]
    assert len(outcome.err.splitlines()) == 1


def test_warnings_are_one_line_each_and_hidden_when_quiet(tmp_path: Path) -> None:
    unwise = (
        "train",
        *TINY,
        "--norm",
        "batch",
        "--batch-size",
        "1",
        "--steps",
        "1",
        "-o",
        str(tmp_path / "run.h5"),
    )
    outcome = dlprobe(*(each for each in unwise if each not in ("--epochs", "2")))
    assert outcome.code == 0
    assert [line for line in outcome.err.splitlines() if line.startswith("warning: norm = batch")]
    assert (
        dlprobe("train", "--dry-run", "--norm", "batch", "--batch-size", "1", "--quiet").err == ""
    )
