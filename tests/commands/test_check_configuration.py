"""`check net.toml`: a configuration judged before it is trained, by the first step of ten
initialization seeds.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from command_line import ROOT, Outcome, dlprobe

# inputs of mean square 1, as theory has them
WHITE = '[data]\ndata = "gaussian(samples=200, features=60, classes=4)"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(name: str, text: str, *arguments: str) -> Outcome:
    Path(name).write_text(text, encoding="utf-8")
    return dlprobe("check", name, *arguments)


def net(layers: str, activation: str, init: str, rest: str = "") -> str:
    return (
        f'{WHITE}[model]\nlayers = "{layers}"\nactivation = "{activation}"\ninit = "{init}"\n{rest}'
    )


def test_a_sigmoid_stack_will_vanish_by_what_theory_says(folder: Path) -> None:
    """Ten layers with Glorot's weights: log10 of the ratio is -5.69 (mean-field recursion;
    Schoenholz et al. 2017), weights keep the mean square.
    """
    run = check("net.toml", net("60x10", "sigmoid", "glorot_normal"), "--format", "json").data[
        "runs"
    ][0]
    start = run["before_training"]
    assert start["log10_error_signal_ratio"]["median"] == pytest.approx(-5.693, abs=0.2)
    assert (
        start["log10_error_signal_ratio"]["low"]
        < start["log10_error_signal_ratio"]["median"]
        < start["log10_error_signal_ratio"]["high"]
    )
    assert start["seeds"] == list(range(10))
    assert start["weight_factor"] == pytest.approx(1.0, rel=0.05)
    parts = start["slope_factor"] * start["weight_factor"] * start["other_factor"]
    assert math.log10(parts) * 9 / 2 == pytest.approx(-5.693, abs=0.2)
    assert (
        start["trainable_depth"] == 2
    )  # 0.05 of the mean square per layer: two steps are beyond a factor of 10 of the RMS
    assert run["diagnosis"]["state"] == "before training"
    assert run["diagnosis"]["cause"]["code"] == "G001"


def test_the_conclusion_comes_first_and_the_exit_code_gates(folder: Path) -> None:
    outcome = check("net.toml", net("60x10", "sigmoid", "glorot_normal"))
    assert outcome.code == 1
    first = " ".join(outcome.out.split("\n\n")[0].split())
    assert first.startswith(
        "✗ net.toml: before training: will vanish at hidden_1: 10⁻⁶ of the error signal of "
        "hidden_10 ("
    )
    assert "trainable depth here about 2" in first
    assert "dlprobe train net.toml --activation relu" in outcome.out
    assert "prescribe" not in outcome.out  # there is no run to treat


def test_relu_with_he_weights_has_nothing_in_its_way(folder: Path) -> None:
    outcome = check("net.toml", net("60x10", "relu", "he_normal"))
    assert (outcome.code, "nothing in the way" in outcome.out) == (0, True)


def test_a_little_is_a_warning_only(folder: Path) -> None:
    """Sigmoid with Glorot's weights passes on 0.05 of the mean square: three layers are 1.3
    decades, which optimizers make up for.
    """
    run = check("net.toml", net("60x3", "sigmoid", "glorot_normal"), "--format", "json")
    assert (run.code, run.data["runs"][0]["diagnosis"]["cause"]["severity"]) == (0, "warning")
    assert (
        check("net.toml", net("60x3", "sigmoid", "glorot_normal"), "--fail-on", "warning").code == 1
    )


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ('[model]\ninit = "zeros"', "W001"),
        ('[model]\noutput_activation = "linear"', "L006"),
        (
            '[model]\nlayers = "60x4"\ninit = "normal(std=5)"',
            "G002",
        ),  # √(60 · 25 / 2) = 27 per layer, 4.3 decades
    ],
)
def test_other_faults_that_show_at_once(rest: str, code: str, folder: Path) -> None:
    run = check("net.toml", WHITE + rest, "--format", "json")
    assert code in [finding["code"] for finding in run.data["runs"][0]["findings"]]
    assert run.code == 1


def test_nothing_is_written_and_nothing_is_trained(folder: Path) -> None:
    before = check("net.toml", net("20x3", "tanh", "glorot_normal"), "--format", "json").data[
        "runs"
    ][0]["before_training"]
    for training in (
        'optimizer = "sgd"\nlr = 1e9',
        'schedule = "one_cycle(max_lr=1e6)"',
        "steps = 5000\nwarmup = 7",
        'early_stopping = "yes"',
    ):
        after = check(
            "net.toml",
            net("20x3", "tanh", "glorot_normal", f"[training]\n{training}"),
            "--format",
            "json",
        ).data["runs"][0]["before_training"]
        assert after == before
    assert [path.name for path in folder.iterdir()] == ["net.toml"]


def test_seeds_are_the_configurations_own(folder: Path) -> None:
    text = net("20x3", "tanh", "glorot_normal", "[training]\nseed = 7")
    start = check("net.toml", text, "--format", "json").data["runs"][0]["before_training"]
    assert start["seeds"] == list(range(7, 17))


def test_runs_and_configurations_together(folder: Path) -> None:
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", "a.h5")
    (folder / "bad.toml").write_text('[model]\nlayer = "3"\n', encoding="utf-8")
    (folder / "lost.toml").write_text('[data]\ndata = "no.csv"\n', encoding="utf-8")
    Path("net.toml").write_text(net("20,20", "relu", "he_normal"), encoding="utf-8")
    outcome = dlprobe(
        "check", "net.toml", "a.h5", "bad.toml", "lost.toml", "none.toml", "--format", "json"
    )
    assert outcome.code == 2
    assert [run["path"] for run in outcome.data["runs"]] == [
        "a.h5",
        "net.toml",
        "bad.toml",
        "lost.toml",
        "none.toml",
    ]
    assert ["before_training" in run for run in outcome.data["runs"]] == [
        False,
        True,
        False,
        False,
        False,
    ]
    for name in ("bad.toml", "lost.toml", "none.toml"):
        assert sum(name in line for line in outcome.err.splitlines()) == 1


def test_formats_for_ci_name_the_configuration(folder: Path) -> None:
    text = net("60x10", "sigmoid", "glorot_normal")
    assert (
        "::error file=net.toml,title=G001 vanishing-gradient::"
        in check("net.toml", text, "--format", "github").out
    )
    assert "<failure" in check("net.toml", text, "--format", "junit").out
    assert (
        "net.toml: G001 error vanishing-gradient"
        in check("net.toml", text, "--format", "concise").out
    )


def test_rules_that_need_training_do_not_pass(folder: Path) -> None:
    outcome = check("net.toml", net("20,20", "relu", "he_normal"), "--select", "L001")
    assert (outcome.code, "needs training" in outcome.err) == (2, True)


def test_a_configuration_has_no_numbers_to_compare(folder: Path) -> None:
    shutil.copy(ROOT / "sample_runs" / "healthy.h5", "a.h5")
    outcome = check("net.toml", net("20,20", "relu", "he_normal"), "--against", "a.h5")
    assert (outcome.code, "train it first" in outcome.err) == (2, True)


def test_known_findings_are_left_out(folder: Path) -> None:
    text = net("60x10", "sigmoid", "glorot_normal")
    assert check("net.toml", text, "--write-baseline", "known.json").code == 0
    assert check("net.toml", text, "--baseline", "known.json").code == 0
