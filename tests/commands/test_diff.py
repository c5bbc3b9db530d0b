"""`diff`: what changed between two runs or studies, and what did not beyond chance."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from command_line import ROOT, Outcome, dlprobe

from dlprobe.analysis.comparing.baseline import Numbers
from dlprobe.analysis.comparing.run_diff import metric_diffs

SAMPLES = ROOT / "sample_runs"
GRID = (
    "--depth",
    "2",
    "--width",
    "4",
    "--activation",
    "relu",
    "--init",
    "he_normal",
    "--data",
    "wine",
    "--steps",
    "3",
    "--seeds",
    "2",
)


def diff(*arguments: str) -> Outcome:
    return dlprobe("diff", *arguments)


def run_of(error: float, samples: int = 100, loss: float = 1.0) -> Numbers:
    return Numbers(
        "run.h5",
        "{}",
        (),
        (),
        "",
        "0",
        {"val_error": error, "val_loss": loss},
        {},
        (),
        {"val": samples},
        True,
    )


def test_a_run_is_identical_to_itself_under_any_name(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "healthy.h5", tmp_path / "copy.h5")
    outcome = diff(
        str(SAMPLES / "healthy.h5"),
        str(tmp_path / "copy.h5"),
        "--fail-on-change",
        "--format",
        "json",
    )
    assert (outcome.code, outcome.data["changed"], outcome.data["pairs"][0]["identical"]) == (
        0,
        False,
        True,
    )


def test_findings_are_counted_as_fixed_new_and_same_and_the_sides_are_named() -> None:
    """The same two runs the other way round have fixed and new exchanged."""
    ill, well = (str(SAMPLES / f"{name}.h5") for name in ("vanishing", "healthy"))
    out = diff(ill, well).out
    found, back = (
        diff(*pair, "--format", "json").data["pairs"][0]["findings"]
        for pair in ((ill, well), (well, ill))
    )
    assert "G001" in found["fixed"]
    assert (found["fixed"], found["new"], found["same"]) == (
        back["new"],
        back["fixed"],
        back["same"],
    )
    counted = re.search(r"findings: (.+?)\n\n", out, re.DOTALL)
    assert counted is not None
    assert re.findall(r"(\d+)\s+(fixed|new|same)", counted[1]) == [
        (str(len(codes)), change) for change, codes in found.items() if codes
    ]
    assert re.search(
        r"code +finding +severity +vanishing +healthy", diff(ill, well, "--details").out
    )


def test_configuration_metrics_and_profiles_stand_side_by_side() -> None:
    paths = [str(SAMPLES / f"{name}.h5") for name in ("healthy", "vanishing")]
    data = diff(*paths, "--format", "json").data
    assert list(data) == ["schema", "a", "b", "changed", "pairs", "exit_code"]
    (pair,) = data["pairs"]
    assert {"key": "model.activation", "a": "relu", "b": "sigmoid"} in pair["configuration"]
    signal = next(
        each
        for each in pair["profiles"]
        if (each["statistic"], each["moment"]) == ("error_signal_rms", "start")
    )
    assert len(signal["a"]) == len(signal["a_layers"]) == 5
    assert signal["b"][0] < 1e-10 < signal["a"][0]
    changed = {each["metric"]: each["changed"] for each in pair["metrics"]}
    assert (changed["val_error"], changed["val_loss"]) == (True, None)


def test_fail_on_change_is_exit_1_and_without_it_0() -> None:
    paths = [str(SAMPLES / f"{name}.h5") for name in ("healthy", "diverged")]
    assert [diff(*paths).code, diff(*paths, "--fail-on-change").code] == [0, 1]


def test_findings_that_appeared_or_vanished_are_told_with_their_evidence() -> None:
    paths = [str(SAMPLES / f"{name}.h5") for name in ("healthy", "diverged")]
    assert "✗ new: non-finite (N001): the batch loss of step 6 is not finite" in " ".join(
        diff(*paths, "--details").out.split()
    )
    verdicts = diff(*reversed(paths), "--format", "json").data["pairs"][0]["verdicts"]
    assert next(each for each in verdicts if each["code"] == "N001")["change"] == "vanished"


def test_single_runs_are_compared_by_the_chance_of_their_samples() -> None:
    """Wilson 95 % of 10 in 100 is .055 to .174, of 20 in 100 .133 to .289 (overlap), of 30 in
    100 .219 to .396 (apart).
    """
    near, far = (metric_diffs([run_of(0.1)], [run_of(error)])[1] for error in (0.2, 0.3))
    assert near.a_interval == pytest.approx((0.055, 0.174), abs=1e-3)
    assert (near.changed, far.changed) == (False, True)


def test_repetitions_are_compared_by_their_factor() -> None:
    rng = np.random.default_rng(1)
    old, same, worse = (
        [run_of(0.1, loss=float(np.exp(rng.normal(shift, 0.02)))) for _ in range(8)]
        for shift in (0.0, 0.0, 0.2)
    )
    changed = [metric_diffs(old, new)[0] for new in (same, worse)]
    assert [each.changed for each in changed] == [False, True]
    assert changed[1].factor == pytest.approx(np.exp(0.2), rel=0.03)


def test_studies_are_compared_configuration_by_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dlprobe("gradients", *GRID, "--norm", "none,batch", "-o", "a.h5").code == 0
    assert dlprobe("gradients", *GRID, "--norm", "none", "-o", "b.h5").code == 0
    data = diff("a.h5", "b.h5", "--format", "json").data
    assert sorted((pair["runs"]["a"], pair["runs"]["b"]) for pair in data["pairs"]) == [
        (2, 0),
        (2, 2),
    ]
    assert diff("a.h5", "a.h5", "--fail-on-change").code == 0
    assert "only in a" in diff("a.h5", "b.h5").out


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_fits(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = diff(str(SAMPLES / "healthy.h5"), str(SAMPLES / "vanishing.h5")).out.splitlines()
    assert [line for line in lines if len(line) > width and "dlprobe " not in line] == []


def test_markdown_suits_a_pull_request() -> None:
    text = diff(
        str(SAMPLES / "healthy.h5"),
        str(SAMPLES / "diverged.h5"),
        "--details",
        "--format",
        "markdown",
    ).out
    assert "| configuration | healthy | diverged |" in text
    assert "❌ new: non-finite" in text
    assert "\x1b" not in text


def test_a_file_that_cannot_be_read_is_one_line() -> None:
    outcome = diff(str(SAMPLES / "healthy.h5"), str(SAMPLES / "damaged.h5"))
    assert (outcome.code, outcome.out, len(outcome.errors)) == (2, "", 1)
