"""`check --prove`: the verdict comes first, is kept beside the run, is shown again without
training, and is refused in one line where it means nothing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import ROOT, Outcome, dlprobe

from dlprobe.executors import threads

SAMPLES = ROOT / "sample_runs"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an ill run, a healthy one, and a damaged one."""
    for name in ("diverged", "healthy", "damaged", "vanishing"):
        shutil.copy(SAMPLES / f"{name}.h5", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def zeros(folder: Path) -> str:
    """A run whose weights begin equal, made in a blink."""
    options = (
        "--data",
        "blobs(samples=200, classes=3)",
        "--layers",
        "20,20",
        "--lr",
        "0.01",
        "--init",
        "zeros",
        "--record-every",
        "8",
    )
    assert dlprobe("train", *options, "-o", "zeros.h5").code == 0
    return "zeros.h5"


def check(*arguments: str) -> Outcome:
    return dlprobe("check", *arguments, "--select", "W001")


def forbid_training(patch: pytest.MonkeyPatch) -> None:
    def none(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        assert not wanted, "nothing may be trained"
        yield from ()

    patch.setattr(threads, "run_all", none)


def test_the_cause_of_a_net_of_equal_weights_is_proved_kept_and_shown(
    zeros: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = check(zeros)
    proved = check(zeros, "--prove", "--seeds", "3")
    line = "proved: 3 of 3 seeds learn with init = he_normal, 0 of 3 with the sham"
    assert (plain.code, proved.code) == (1, 1), proved.err
    assert " ".join(proved.out.split()).startswith(
        f"✓ {line} (symmetric-weights, W001)"
    )  # before all else
    kept = json.loads(Path("zeros.proof.json").read_text(encoding="utf-8"))
    assert (kept["proof"]["sentence"], kept["proof"]["cause"]["code"], len(kept["trials"])) == (
        line,
        "W001",
        6,
    )
    forbid_training(monkeypatch)
    again = check(zeros, "--format", "json")
    assert (again.data["runs"][0]["proof"], again.code) == (kept["proof"], 1)
    assert check(zeros, "--prove", "--seeds", "3", "--exit-zero").code == 0


def test_two_causes_are_undone_one_after_the_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal weights stay equal at any rate (Rumelhart et al. 1986), and drawn ones go nowhere
    in 160 steps of 1e-6: neither alone is enough.
    """
    options = (
        "--data",
        "blobs(samples=200, classes=3)",
        "--layers",
        "32,32",
        "--lr",
        "1e-6",
        "--init",
        "zeros",
        "--epochs",
        "40",
        "--record-every",
        "8",
    )
    assert dlprobe("train", *options, "-o", "two.h5").code == 0
    proved = dlprobe("check", "two.h5", "--prove", "--seeds", "3", "--format", "json")
    proof = proved.data["runs"][0]["proof"]
    (step,) = proof["earlier"]
    assert (proof["verdict"], proof["undone"], proof["sham"], step["verdict"], step["undone"]) == (
        "proved",
        3,
        0,
        "not proved",
        0,
    )
    named = [proof["cause"]["code"], *(each["code"] for each in proof["cause"]["beside"])]
    assert sorted(named) == ["L013", "W001"]
    assert proof["cause"]["patch"].keys() == {"model.init", "model.bias_init", "training.lr"}
    forbid_training(monkeypatch)
    text = " ".join(dlprobe("check", "two.h5").out.split())
    assert "2 causes together" in text
    assert "before, with fewer causes undone: not proved" in text


def test_a_proof_of_another_run_is_not_believed(folder: Path) -> None:
    Path("diverged.proof.json").write_text(_proof_text("ab" * 32), encoding="utf-8")
    outcome = dlprobe("check", "diverged.h5", "--format", "json")
    assert (outcome.data["runs"][0]["proof"], outcome.code) == (None, 1)
    assert (
        outcome.err
        == "warning: diverged.proof.json is of a run with another content, so it is not used\n"
    )
    Path("diverged.proof.json").write_text("my notes", encoding="utf-8")
    assert "is no proof that dlprobe wrote" in dlprobe("check", "diverged.h5").err


def _proof_text(content: str) -> str:
    from dlprobe.experiments.proof_file import ProofFile

    return ProofFile(content).text()


def test_a_file_of_the_user_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("diverged.proof.json").write_text('{"mine": 1}', encoding="utf-8")
    forbid_training(monkeypatch)
    refused = dlprobe("check", "diverged.h5", "--prove")
    assert (refused.code, refused.out, len(refused.errors)) == (2, "", 1)
    assert "diverged.proof.json is a JSON file, and a proof would take its place" in refused.err
    assert Path("diverged.proof.json").read_text(encoding="utf-8") == '{"mine": 1}'


@pytest.mark.parametrize(
    ("run", "arguments", "code", "line"),
    [
        ("healthy.h5", (), 0, "note: healthy.h5: nothing to prove: it learned well"),
        (
            "diverged.h5",
            ("--select", "B"),
            2,
            "note: diverged.h5: nothing to prove: it diverged, and no finding names a cause",
        ),
        ("damaged.h5", (), 2, "error: damaged.h5 is cut or damaged"),
        (
            "study.h5",
            (),
            2,
            "error: study.h5 is a study: --prove trains the net of a single run again",
        ),
        (
            "diverged.h5",
            ("--counts",),
            2,
            "error: --counts shows no single run, --prove goes through them one by one",
        ),
    ],
)
def test_what_cannot_be_proved_is_one_line_and_trains_nothing(
    run: str,
    arguments: tuple[str, ...],
    code: int,
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if run == "study.h5":
        made = dlprobe(
            "compare",
            "l2",
            "0",
            "0.1",
            "--data",
            "wine",
            "--layers",
            "3",
            "--epochs",
            "1",
            "--seeds",
            "1",
            "-o",
            "study.h5",
        )
        assert made.code == 0
    forbid_training(monkeypatch)
    outcome = dlprobe("check", run, "--prove", *arguments)
    assert outcome.code == code
    assert [each for each in outcome.err.splitlines() if each.startswith(line)], outcome.err
    assert not list(folder.glob("*.proof.json"))


def test_seeds_are_for_proofs(folder: Path) -> None:
    refused = dlprobe("check", "healthy.h5", "--seeds", "3")
    assert (refused.code, refused.errors) == (
        2,
        ["error: --seeds is for --prove: give both or neither"],
    )


def test_other_data_than_the_run_was_trained_on_prove_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{k % 7},{k % 5},{'ab'[k % 2]}" for k in range(400)]
    Path("rows.csv").write_text("\n".join(["x,y,label", *rows]), encoding="utf-8")
    assert (
        dlprobe(
            "train", "--data", "rows.csv", "--layers", "5", "--init", "zeros", "-o", "run.h5"
        ).code
        == 0
    )
    Path("rows.csv").write_text("\n".join(["x,y,label", *rows[1:]]), encoding="utf-8")
    forbid_training(monkeypatch)
    for refused in (check("run.h5", "--prove"), dlprobe("prescribe", "run.h5")):
        assert (refused.code, refused.out, len(refused.errors)) == (2, "", 1)
        assert "has changed since run.h5 was trained" in refused.err
    assert not list(folder.glob("*.proof.json"))


def test_data_that_lie_elsewhere_are_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("elsewhere", "made"):
        Path(name).mkdir()
    rows = folder / "elsewhere/rows.csv"
    rows.write_text(
        "\n".join(["x,y,label", *(f"{k % 7},{k % 5},{'ab'[k % 2]}" for k in range(400))]),
        encoding="utf-8",
    )
    monkeypatch.chdir("made")
    assert (
        dlprobe(
            "train", "--data", str(rows), "--layers", "5", "--init", "zeros", "-o", "run.h5"
        ).code
        == 0
    )
    refused = check("run.h5", "--prove", "--seeds", "1")
    assert (refused.code, len(refused.errors), list(Path().glob("*.json"))) == (2, 1, [])
    assert refused.errors[0].endswith(f"type --allow-file {rows}")
    assert (
        check("run.h5", "--prove", "--seeds", "1", "--exit-zero", "--allow-file", str(rows)).code
        == 0
    )


def test_a_stopped_proof_keeps_what_it_has_and_goes_on(
    zeros: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = threads.run_all

    def three(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        yield from real(wanted[:3], 1, stop)
        stop.ask()

    with monkeypatch.context() as patch:
        patch.setattr(threads, "run_all", three)
        stopped = check(zeros, "--prove", "--seeds", "3", "--format", "json")
    assert stopped.code == 130
    said = (
        "interrupted: 3 of 6 trainings of the proof of zeros.h5 had ended; zeros.proof.json keeps "
        "them, and the same command goes on"
    )
    assert f"warning: {said}" in stopped.err.splitlines()
    proof = stopped.data["runs"][0]["proof"]
    assert (proof["verdict"], proof["trained"], proof["reason"]) == (
        "unfinished",
        1,
        "1 of 3 seeds have ended",
    )
    finished = check(zeros, "--prove", "--seeds", "3")
    assert "3 trainings like this one" in finished.err
    assert (
        json.loads(Path("zeros.proof.json").read_text(encoding="utf-8"))["proof"]["verdict"]
        == "proved"
    )
