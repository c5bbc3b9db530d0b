"""gradients --map: theory's depth, the study behind the pixels, the reader's own net."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pytest
from command_line import dlprobe

import dlprobe as package
from dlprobe.runs import Study

PLANE = ("--lr", "0.03", "--data", "wine", "--width", "16", "--epochs", "30", "--quiet")
JSON = ("--format", "json")


def test_every_pixel_is_a_run_and_theory_is_that_of_the_paper(tmp_path: Path) -> None:
    """tanh, σ_w² = 1.5, σ_b² = .05: χ_1 = .93863627, an ordered phase, so ξ_c = −1/ln χ_1."""
    path = str(tmp_path / "map.h5")
    axes = ("--axis", f"sigma_w=0.5,{math.sqrt(1.5):.6f}", "--depth", "3,30")
    found = dlprobe("gradients", "--map", *PLANE, *axes, "-o", path, *JSON).data
    shallow, deep = (
        {(each["x"], each["depth"]): each for each in found["pixels"]}[key]
        for key in ((1.224745, 3), (0.5, 30))
    )
    assert shallow["theory_depth"] == pytest.approx(-6 / math.log(0.93863627), rel=2e-3)
    assert (shallow["trained"], deep["trained"]) == (True, False)  # 30 layers are over 6 ξ = 6.8
    assert deep["theory_depth"] < 30
    with package.open_run(path) as study:
        assert isinstance(study, Study)
        assert sorted(id for each in found["pixels"] for id in each["runs"]) == sorted(study.runs)
        (id,) = shallow["runs"]
        assert study.runs.open(id).final["train_accuracy"] == pytest.approx(shallow["accuracy"])
    assert dlprobe("gradients", path, *JSON).data == found
    shown = dlprobe("gradients", path).out
    assert "3 of 4 nets" in shown or "2 of 4 nets" in shown
    command = shlex.split(found["command"])
    assert dlprobe(*command[1:], "--dry-run").code == 0


def test_the_readers_net_is_marked_with_the_nearest_that_trained(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    options = ("--data", "wine", "--layers", "16x30", "--activation", "tanh", "--epochs", "30")
    init = ("--init", "mean_field(sigma_w=0.5)", "--optimizer", "sgd", "--lr", "0.03")
    assert dlprobe("new", *options, *init, "-o", str(own)).code == 0
    plane = ("--axis", "sigma_w=0.5,1.2", "--depth", "3,30", "--quiet")
    found = dlprobe("gradients", str(own), "--map", *plane, *JSON).data
    assert (found["own"]["x"], found["own"]["y"]) == (pytest.approx(0.5), 30)
    trained = {(each["x"], each["y"]) for each in found["pixels"] if each["trained"]}
    nearest = (found["own"]["nearest"]["x"], found["own"]["nearest"]["y"])
    assert nearest in trained
    assert (0.5, 30) not in trained
    assert nearest != (1.2, 3) or not trained & {(0.5, 3), (1.2, 30)}  # the far corner comes last
    assert dlprobe(*shlex.split(found["command"])[1:], "--dry-run").code == 0
    drawn = dlprobe("gradients", str(own), "--map", *plane).out
    assert "* your net" in " ".join(drawn.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--axis", "lr=0.1,0.2", "--axis", "width=4,8", "--axis", "l2=0,1"), "two axes"),
        (("--axis", "activation=relu,tanh"), "expected numbers"),
        (("--axis", "lr"), "KEY=NUMBER"),
        (("--find-depth",), "two pictures"),
        (("--width", "4,8"), "one width"),
    ],
)
def test_a_wrong_plane_is_said(arguments: tuple[str, ...], said: str) -> None:
    outcome = dlprobe("gradients", "--map", "--data", "wine", *arguments)
    assert (outcome.code, said in outcome.err) == (2, True)
