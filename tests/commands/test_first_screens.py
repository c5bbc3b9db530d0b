"""First screens: the state, the cause and the command stand in the first five lines, the three
quantities by line 25, and texts at three widths as reviewed.

What is asserted by hand comes from what the runs are: twenty sigmoid layers with Glorot weights
vanish (Glorot & Bengio 2010), by 1/4 a layer at most, as the slope of sigmoid is at most 1/4; ReLU
with He weights keeps its size (He et al. 2015). Goldens are made again by `python
tests/commands/test_first_screens.py`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from command_line import ROOT, dlprobe

GOLDENS = Path(__file__).parent / "first_screens"
SCREENS = {  # golden's name: what is typed in the folder of the sample runs
    "inspect-vanishing": "inspect vanishing.h5",
    "inspect-layers": "inspect healthy.h5 --show layers",
    "check-vanishing": "check vanishing.h5",
    "diff": "diff vanishing.h5 healthy.h5",
    "compare": "compare initializers.h5",
    "explain-gradient": "explain gradient",
    "data": "data digits",
    "theory": "theory --layers 100x5 --activation sigmoid --init glorot_normal",
    "bias-variance": "bias-variance underfit.h5",
}
WIDTHS = (80, 100, 200)
SHOWN = 28  # lines of a golden: conclusion and picture


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "sample_runs")


def shown(line: str, width: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = dlprobe(*shlex.split(line), "--quiet")
    assert outcome.code in (0, 1), outcome.err
    return outcome.out.splitlines()


def screens(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The first lines of a screen at the three widths, one below the other; no line but a
    command is wider than its page, nor a verdict than 110.
    """
    parts = []
    for width in WIDTHS:
        lines = shown(SCREENS[name], width, monkeypatch)
        for line in lines:
            assert len(line) <= width or "dlprobe " in line, line
            assert len(line) <= 110 or "dlprobe " in line or not re.match(r"[✓✗!•] ", line), line
        parts.append(f"# {SCREENS[name]} · {width} columns\n" + "\n".join(lines[:SHOWN]))
    return "\n\n".join(parts) + "\n"


@pytest.mark.parametrize("name", SCREENS)
def test_first_screens_are_as_reviewed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert screens(name, monkeypatch) == (GOLDENS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_vanishing_net_says_state_cause_and_command_in_five_lines_and_draws_its_strips_by_line_25(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("inspect", "check"):
        lines = shown(f"{command} vanishing.h5", width, monkeypatch)
        first = " ".join(" ".join(lines[:5]).split())
        assert first.startswith(
            "✗ vanishing.h5: did not learn: error 59.8 % in training, 61.1 % in validation; "
            "guessing has 59.8 %"
        )
        assert (
            "✗ vanishing-gradient (G001): at step 0 the error signal of hidden_1 is 10⁻¹² × "
            "that of hidden_20"
        ) in first
        assert "Try dlprobe train vanishing.h5 --activation relu" in first
    lines = shown("inspect vanishing.h5", width, monkeypatch)
    ends = [index for index, line in enumerate(lines) if line.startswith("loss, step 0")]
    assert [line.partition(",")[0] for line in lines if " bars from " in line] == [
        "activation variance",
        "weight-gradient RMS",
        "error signal RMS",
        "loss",
    ]
    assert ends[0] + 3 <= 25
    strips = [line for line in lines[: ends[0]] if re.match(r"  step [\d,]+ ", line)]
    assert len(strips) == 6
    assert all("▼ ×10⁻¹²" in line for line in strips[4:])
    assert len({re.search(r"[▁-█]", line).start() for line in strips}) == 1  # type: ignore[union-attr]  # aligned
    assert [line for line in strips[2:4] if "max output" in line] == strips[
        2:4
    ]  # the output layer is included


@pytest.mark.parametrize("width", WIDTHS)
def test_a_net_that_learned_shows_its_layers_with_what_was_measured(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = " ".join(shown("inspect healthy.h5", width, monkeypatch)[:2])
    assert first.startswith(
        "✓ healthy.h5: learned well: error 3.4 % in training, 6.7 % in validation;"
    )
    table = shown("inspect healthy.h5 --show layers", width, monkeypatch)
    heads = next(line for line in table if line.startswith("layer "))
    assert re.split(r"  +", heads) == [
        "layer",
        "activation",
        "initializer",
        "variance",
        "gradient",
        "update",
        "dead [%]",
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_initializers_that_learn_and_one_that_does_not_are_explained(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """16 tanh units a layer: weights of N(0, σ²) have the factor 16 σ², 0.0016 and 16; tanh's
    slope is 1 near 0. Two seeds cannot reach 5 %: p ≥ 2/2².
    """
    lines = shown("compare initializers.h5", width, monkeypatch)
    assert " ".join(" ".join(lines[:2]).split()).startswith(
        "! too few seeds for a test: 2 cannot show any difference among 4 values, 8 can; but no "
        "seed of normal(std=0.01) and normal(std=1) learned"
    )  # 2/2⁸ < 5 % / 6 pairs
    assert lines[-1] == "next: dlprobe compare --resume initializers.h5 --seeds 8"
    assert "last: normal(std=1): " in " ".join(lines[:4])
    told = " ".join(" ".join(lines).split())
    assert re.search(
        (
            r"normal\(std=0.01\): vanishing, mean square ×0.001[56] = slope factor 1.0 × weight "
            r"factor 0.001[56] per layer"
        ),
        told,
    )
    assert re.search(
        (
            r"normal\(std=1\): level, mean square ×[\d.]+ = slope factor 0.\d+ × weight factor "
            r"1[567] per layer; .+; first loss "
        ),
        told,
    )
    assert "too few seeds for a test" in told
    assert "not distinguishable" not in told
    assert any(line.startswith(("net ", "net\t")) and "init compared" in line for line in lines)
    assert any(line.startswith("data ") for line in lines)
    assert any(line.startswith("training ") and "learning rate" in line for line in lines)


def test_a_foreign_run_names_what_is_missing_in_few_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text(
        "step,train_loss,lr\n" + "".join(f"{step},{2.3 - step / 10},0.1\n" for step in range(4))
    )
    assert dlprobe("import", "log.csv", "-o", "log.h5").code == 0
    out = " ".join(dlprobe("check", "log.h5").out.split())
    told = re.search(r"(\d+) rules not evaluated: (.+?)(?: ·|$)", out)
    assert told is not None
    counts = [int(count) for count in re.findall(r"\((\d+)\)", told[2])]
    assert sum(counts) == int(told[1]) > 40
    assert len(counts) <= 8
    assert "not recorded: " in told[2]
    assert "no baseline was given: add --against RUN (3)" in told[2]


@pytest.mark.parametrize("width", WIDTHS)
def test_commands_that_train_end_with_what_was_learned_why_and_what_to_type(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty layers of sigmoid units cannot learn this in 160 steps: their slope is 1/4 at
    most. Two numbers at most would depend on the processor.
    """
    monkeypatch.chdir(Path(shutil.copy("vanishing.toml", tmp_path)).parent)
    lines = shown("train vanishing.toml -o run.h5", width, monkeypatch)
    first = " ".join(" ".join(lines[:8]).split())
    assert re.search(
        (
            r"✗ run\.h5: did not learn: error 59.8 % in training, 61.1 % in validation; guessing "
            r"has 59.8 %"
        ),
        first,
    )
    assert (
        "✗ vanishing-gradient (G001): at step 0 the error signal of hidden_1 is 10⁻¹² × that "
        "of hidden_20"
    ) in first
    assert re.search(r"Try dlprobe train run\.h5 --activation relu", first)
    grid = (
        "--data wine --width 16 --depth 3,20 --activation sigmoid,relu --init glorot_normal "
        "--norm none --seeds 1 --epochs 1"
    )
    lines = shown(f"gradients {grid}", width, monkeypatch)
    first = " ".join(" ".join(lines[:6]).split())
    assert "✗ sigmoid · glorot_normal breaks first, at 3 layers: error signal ×0.0" in first
    assert re.search(
        r"mean square ×0.0\d+ = slope factor 0.0[45]\d* × weight factor 1", first
    )  # at most 1/16
    assert lines[-1].startswith(f"next: dlprobe gradients {grid}")
    assert all(len(line) <= width or "dlprobe " in line for line in lines)
    lines = shown("lr-find --data wine --epochs 2 --quick", width, monkeypatch)
    rate = re.match(r"✓ lr = ([\d.]+) for adam on wine", lines[0])
    assert rate is not None
    assert 1e-4 < float(rate[1]) < 1e-1
    assert any(
        line.startswith("next: dlprobe train ") and f"--lr {rate[1]}" in line for line in lines
    )


if __name__ == "__main__":
    GOLDENS.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT / "sample_runs")
        for each in SCREENS:
            (GOLDENS / f"{each}.txt").write_text(screens(each, patch), encoding="utf-8")
