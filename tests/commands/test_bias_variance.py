"""bias-variance: the textbook reading, given predictions, retraining, saved studies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import ROOT, Outcome, dlprobe

from dlprobe.commands.base.application import load

RIDGE = (
    "--data",
    "linear(samples=60, features=5)",
    "--scaling",
    "none",
    "--layers",
    "",
    "--bias",
    "no",
    "--dtype",
    "float64",
)
LINEAR = (
    *RIDGE,
    "--target-scaling",
    "none",
    "--optimizer",
    "sgd",
    "--lr",
    "0.1",
    "--batch-size",
    "full",
    "--steps",
    "5",
    "--init",
    "zeros",
)


def words(text: str) -> str:
    """Text without the breaks of lines."""
    return " ".join(text.split())


def bias_variance(*arguments: str) -> Outcome:
    return dlprobe("bias-variance", *arguments, "--format", "json", "--quiet")


@pytest.mark.parametrize(
    ("human", "train", "val", "bias", "variance"),
    [
        ("0", "0.01", "0.15", "low", "high"),
        ("0", "0.15", "0.16", "high", "low"),
        ("0", "0.15", "0.30", "high", "high"),
        ("0", "0.005", "0.01", "low", "low"),
        ("0.01", "0.08", "0.10", "high", "low"),
        ("0.075", "0.08", "0.10", "low", "high"),
    ],
)
def test_rows_of_the_textbook(human: str, train: str, val: str, bias: str, variance: str) -> None:
    found = bias_variance("--human-error", human, "--train-error", train, "--val-error", val).data
    assert found["schema"] == "dlprobe-bias-variance/1"
    assert found["diagnosis"] == {"bias": bias, "variance": variance}
    assert found["advice"]


def test_percentages_are_taken_with_their_sign() -> None:
    plain = bias_variance(
        "--human-error", "0.01", "--train-error", "0.08", "--val-error", "0.10"
    ).data
    assert (
        bias_variance("--human-error", "1%", "--train-error", "8 %", "--val-error", "10%").data
        == plain
    )
    doubtful = bias_variance("--train-error", "0.5", "--val-error", "1")  # typed in percent?
    assert "warning" not in doubtful.err  # --quiet
    assert (
        "--val-error 1 is read as 100 %"
        in dlprobe("bias-variance", "--train-error", "0.5", "--val-error", "1").err
    )


def test_reading_of_a_run_takes_no_options_of_training(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train",
            "--data",
            "wine",
            "--layers",
            "2",
            "--steps",
            "2",
            "--split",
            "80,0,20",
            "-o",
            run,
            "--quiet",
        ).code
        == 0
    )
    for arguments, problem in (
        ((), "no validation error at its end: train with a validation part"),
        (("--epochs", "3"), "--epochs: no part of"),
        (("--loss", "squared"), "--loss: no part of the reading of a run"),
        (("--train-error", "0.1", "--val-error", "0.2"), "RUN: no part of the reading of bare"),
    ):
        outcome = dlprobe("bias-variance", run, *arguments)
        assert (outcome.code, len(outcome.errors), problem in outcome.err) == (2, 1, True), (
            outcome.err
        )


def test_reading_of_a_run_has_sampling_intervals(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train", "--data", "wine", "--layers", "4", "--steps", "3", "-o", run, "--quiet"
        ).code
        == 0
    )
    found = bias_variance(run, "--human-error", "0.02").data
    assert found["errors"]["human"] == 0.02
    low, high = found["intervals"]["val_error"]
    assert low <= found["errors"]["val"] <= high
    assert high - low > 0.05  # 35 samples
    text = dlprobe("bias-variance", run).out
    assert "textbook reading" in text
    assert f"dlprobe bias-variance {run} --replicas 20" in text.replace("\n", " ")


@pytest.fixture(scope="module")
def healthy() -> str:
    return str(ROOT / "sample_runs" / "healthy.h5")


def test_without_a_human_error_bias_is_an_upper_bound(healthy: str) -> None:
    """3.4 % training error: high bias only if somebody says, or another run shows, that less
    can be reached.
    """
    found = bias_variance(healthy).data
    assert (found["diagnosis"], found["errors"]["human"], found["reference"]["kind"]) == (
        {"bias": "unknown", "variance": "high"},
        None,
        "none",
    )
    assert "bias at most 3.4 points (no human error given)" in words(
        dlprobe("bias-variance", healthy).out
    )
    assert bias_variance(healthy, "--human-error", "1%").data["diagnosis"]["bias"] == "high"
    assert bias_variance(healthy, "--human-error", "3%").data["diagnosis"]["bias"] == "low"


def test_the_reference_can_be_measured_on_the_same_data(healthy: str, tmp_path: Path) -> None:
    better = str(tmp_path / "better.h5")
    shutil.copy(healthy, better)
    with h5py.File(better, "r+") as file:
        file["final/val_error"][...] = 0.01
    found = bias_variance(healthy, "--reference", better, healthy).data
    assert found["reference"] == {"kind": "measured", "error": 0.01, "run": better}
    assert found["diagnosis"]["bias"] == "high"
    other = str(tmp_path / "wine.h5")
    assert (
        dlprobe(
            "train", "--data", "wine", "--layers", "4", "--steps", "3", "-o", other, "--quiet"
        ).code
        == 0
    )
    for arguments, problem in (
        ((healthy, "--reference", other), "other data"),
        ((healthy, "--human-error", "1%", "--reference", better), "one of the two"),
    ):
        outcome = dlprobe("bias-variance", *arguments)
        assert (outcome.code, len(outcome.errors), problem in outcome.err) == (2, 1, True)


@pytest.mark.parametrize(
    ("arguments", "way"),
    [
        (("--human-error", "0", "--train-error", "15%", "--val-error", "16%"), "more capacity"),
        (
            ("--human-error", "0", "--train-error", "1%", "--val-error", "15%"),
            "more data or regularization",
        ),
        (("--human-error", "0", "--train-error", ".5%", "--val-error", "1%"), "fine"),
        (("--train-error", "8%", "--val-error", "10%"), "cannot be told"),
        (("--train-error", "8%", "--val-error", "20%"), "more data or regularization"),
    ],
)
def test_there_is_one_direction_and_advice_goes_that_way_only(
    arguments: tuple[str, ...], way: str
) -> None:
    """(?, 8, 20): whatever a human makes, the gap to new samples is the larger one."""
    found = bias_variance(*arguments).data
    said = " ".join(found["advice"])
    assert found["direction"]["way"] == way
    assert ("a bigger net" in said) is (way == "more capacity")
    assert ("more data, a penalty" in said) is (way == "more data or regularization")


def test_reading_of_a_run_names_what_holds_it_back(tmp_path: Path) -> None:
    """A run that learned, whose configuration is rewritten: kernels for dropout and bounds need
    not be compiled for it.
    """
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train", "--data", "wine", "--layers", "4", "--steps", "200", "-o", run, "--quiet"
        ).code
        == 0
    )
    with h5py.File(run, "r+") as file:
        config = json.loads(file.attrs["config"])
        config["model"]["dropout"], config["training"]["l2"], config["training"]["max_norm"] = (
            0.5,
            0.1,
            1.0,
        )
        file.attrs["config"] = np.bytes_(json.dumps(config))
    assert (
        "first take back what keeps it from fitting: dropout 0.5, l2 0.1, max_norm 1"
        in bias_variance(run).data["advice"]
    )


def test_reading_of_a_regression_is_by_the_variance_left_over(tmp_path: Path) -> None:
    run = str(tmp_path / "run.h5")
    assert (
        dlprobe(
            "train",
            "--data",
            "linear(samples=200)",
            "--layers",
            "",
            "--lr",
            "0.05",
            "--epochs",
            "30",
            "-o",
            run,
            "--quiet",
        ).code
        == 0
    )
    found = bias_variance(run).data
    assert found["measure"] == "1 - r2"
    from dlprobe.config import DataConfig
    from dlprobe.data import load, prepare

    options = DataConfig(data="linear(samples=200)")
    targets = prepare(load(options, 0), options, 0, "float32").targets["train"]
    assert found["errors"]["human"] == pytest.approx(
        0.25 / targets.var(), rel=0.01
    )  # known noise over the variance of the targets
    assert found["errors"]["train"] < 0.5
    low, high = found["intervals"]["val_error"]
    assert low < found["errors"]["val"] < high
    assert abs(found["gaps"]["bias"]) < 0.1  # 120 samples: the noise of theirs is not quite .25


def test_given_predictions(tmp_path: Path) -> None:
    path = tmp_path / "given.npz"
    np.savez(path, predictions=np.array([[1.0], [3.0]]), targets=np.array([0.0]))
    (point,) = bias_variance("--predictions", str(path), "--loss", "squared").data["points"]
    assert (point["expected_loss"], point["bias"], point["variance"]) == pytest.approx(
        (5.0, 3.0, 2.0)
    )
    assert (point["at"], point["noise"], point["replicas"]) == (None, None, 2)
    (known,) = bias_variance("--predictions", str(path), "--noise-variance", "0.5").data["points"]
    assert (known["noise"], known["bias"]) == pytest.approx((0.5, 2.5))
    np.savez(path, predictions=np.array([[0, 1], [0, 1], [1, 1]]), targets=np.array([0, 0]))
    (votes,) = bias_variance("--predictions", str(path), "--loss", "zero-one").data["points"]
    assert (votes["bias"], votes["net_variance"]) == pytest.approx((0.5, 1 / 6))
    np.savez(path, predictions=np.array([[[0.5, 0.5]], [[0.8, 0.2]]]), targets=np.array([0]))
    assert bias_variance("--predictions", str(path), "--loss", "cross-entropy").data["points"][0][
        "plug_in"
    ]["bias"] == pytest.approx(np.log(1.5))


@pytest.mark.parametrize("k", [1, 5])
def test_nearest_neighbours_have_their_closed_form(k: int, tmp_path: Path) -> None:
    """k-NN at fixed inputs: variance σ²/k, bias² (f − mean of the k nearest f)² (Hastie,
    Tibshirani & Friedman 2009, eq. 7.10), noise σ².
    """
    path, x, rng = tmp_path / "neighbours.npz", np.linspace(0, 1, 21), np.random.default_rng(5)
    curve = np.sin(3.0 * x)
    nearest = np.argsort(np.abs(x[:, None] - x), axis=1, kind="stable")[:, :k]
    np.savez(
        path,
        predictions=(curve + 0.2 * rng.standard_normal((1500, 21)))[:, nearest].mean(axis=2),
        targets=curve + 0.2 * rng.standard_normal(21),
    )
    (point,) = bias_variance("--predictions", str(path), "--noise-variance", "0.04").data["points"]
    assert point["variance"] == pytest.approx(
        0.04 / k, rel=0.05
    )  # 1,500 replicas: standard error below 1 %
    assert point["noise"] == 0.04
    np.savez(path, predictions=np.load(path)["predictions"], targets=curve)
    (exact,) = bias_variance("--predictions", str(path)).data["points"]
    assert exact["bias"] == pytest.approx(
        float(np.mean((curve - curve[nearest].mean(axis=1)) ** 2)), abs=2e-4
    )
    assert exact["expected_loss"] == pytest.approx(exact["bias"] + exact["variance"])


@pytest.mark.parametrize("chance", [0.3, 0.7])
def test_votes_of_nearest_neighbours_have_theirs(chance: float, tmp_path: Path) -> None:
    """3 neighbours that are of class 1 with this chance, truth 0: the vote is 1 with q = p²(3 −
    2p). The mode is right iff q < ½.
    """
    votes = np.random.default_rng(6).random((2000, 40, 3)) < chance
    np.savez(tmp_path / "votes.npz", predictions=votes.sum(axis=2) >= 2, targets=np.zeros(40, int))
    (point,) = bias_variance("--predictions", str(tmp_path / "votes.npz")).data["points"]
    wrong = chance**2 * (3 - 2 * chance)
    assert point["bias"] == (0.0 if wrong < 0.5 else 1.0)
    assert (point["expected_loss"], point["variance"]) == pytest.approx(
        (wrong, min(wrong, 1 - wrong)), abs=0.01
    )  # standard error .0015
    assert point["net_variance"] == pytest.approx(wrong - point["bias"], abs=0.01)
    assert point["kohavi_wolpert"] == pytest.approx(
        {"bias": wrong**2, "variance": wrong * (1 - wrong)}, abs=0.01
    )


def test_noise_is_estimated_where_it_is_asked_for(tmp_path: Path) -> None:
    """y = x + N(0, .5²), 1,000 samples: .25 from neighbours; of given predictions, and of a
    retrained line whose data tell the same.
    """
    rng, path = np.random.default_rng(7), tmp_path / "given.npz"
    x = rng.standard_normal((1000, 1))
    made, wanted = (
        x[:, 0] + 0.1 * rng.standard_normal((9, 1)),
        x[:, 0] + 0.5 * rng.standard_normal(1000),
    )
    np.savez(path, predictions=made, targets=wanted, inputs=x)
    found = bias_variance("--predictions", str(path), "--noise-variance", "estimate").data
    assert found["points"][0]["noise"] == pytest.approx(0.25, rel=0.15)
    assert "gamma test" in found["noise_estimate"]
    np.savez(path, predictions=made, targets=wanted)
    assert (
        "save inputs"
        in bias_variance("--predictions", str(path), "--noise-variance", "estimate").errors[0]
    )
    np.savez(path, predictions=made > 0, targets=wanted > 0, inputs=x)
    assert (
        "belongs to the squared loss"
        in bias_variance("--predictions", str(path), "--noise-variance", "estimate").errors[0]
    )
    np.savez(path, predictions=made, targets=wanted, noise=np.full(1000, 0.25))
    assert bias_variance("--predictions", str(path)).data["points"][0]["noise"] == pytest.approx(
        0.25
    )
    line = (
        "--data",
        "linear(samples=600, features=2)",
        "--layers",
        "",
        "--lr",
        "0.05",
        "--steps",
        "100",
        "--replicas",
        "3",
        "--noise-variance",
        "estimate",
    )
    (point,) = bias_variance(*line).data["points"]
    assert point["noise"] == pytest.approx(0.25, rel=0.25)
    assert point["expected_loss"] == pytest.approx(
        point["bias"] + point["variance"] + point["noise"]
    )


def test_gradient_descent_on_fresh_data_meets_an_independent_count(tmp_path: Path) -> None:
    """Five steps on 36 samples from zero weights, no bias, no scaling: against NumPy replicas
    of the same law, 4 standard errors of each.
    """
    study = str(tmp_path / "study.h5")
    (point,) = bias_variance(*LINEAR, "--replicas", "60", "--workers", "2", "-o", study).data[
        "points"
    ]
    assert point["expected_loss"] == pytest.approx(
        point["bias"] + point["variance"] + point["noise"]
    )
    assert point["noise"] == 0.25
    again = bias_variance(study).data["points"][0]
    assert again == point
    noisy, noisier = (
        bias_variance(study, "--noise-variance", text).data["points"][0] for text in ("0.3", "0.5")
    )
    assert (noisier["noise"], noisier["variance"]) == (0.5, pytest.approx(point["variance"]))
    assert noisier["bias"] == pytest.approx(noisy["bias"] - 0.2)
    assert (
        "--noise-variance estimate: no part of"
        in bias_variance(study, "--noise-variance", "estimate").errors[0]
    )
    one = bias_variance(*LINEAR, "--replicas", "60", "--workers", "1").data["points"][0]
    assert one == point

    from dlprobe.config import DataConfig
    from dlprobe.data import load, prepare

    options = DataConfig(data="linear(samples=60, features=5)", scaling="none")
    base = prepare(load(options, 0), options, 0, "float64")
    assert base.clean_targets is not None
    points, truth = base.inputs["test"], base.clean_targets["test"][:, 0]
    weights = np.linalg.lstsq(base.inputs["train"], base.clean_targets["train"][:, 0], rcond=None)[
        0
    ]
    rng, made = np.random.default_rng(0), []
    for _ in range(4000):
        x = rng.standard_normal((36, 5))
        y, w = x @ weights + 0.5 * rng.standard_normal(36), np.zeros(5)
        for _ in range(5):
            w -= 0.1 * 2.0 / 36 * x.T @ (x @ w - y)
        made.append(points @ w)
    exact = np.array(made)
    bias, variance = (
        float(np.mean((exact.mean(axis=0) - truth) ** 2)),
        float(exact.var(axis=0).mean()),
    )
    for name, value in (("bias", bias), ("variance", variance)):
        low, high = point["intervals"][name]
        assert low - (high - low) / 2 <= value <= high + (high - low) / 2, name


def test_the_training_loss_stands_beside_the_parts(tmp_path: Path) -> None:
    """Least squares on n samples of p features, noise .5²: E_train = σ²(1 − p/n), and on new ones
    σ²(1 + p/(n − p − 1)) for normal inputs: .167 and .389 where n = 15 and p = 5.
    """
    study = str(tmp_path / "study.h5")
    exact = (
        *RIDGE[2:],
        "--target-scaling",
        "none",
        "--optimizer",
        "sgd",
        "--lr",
        "0.2",
        "--batch-size",
        "full",
        "--steps",
        "1000",
        "--init",
        "zeros",
    )
    data = (
        "--data",
        "linear(samples=2000, features=5, noise=0.5)",
        "--split",
        "50,0,50",
        "--over",
        "train_size=15,100",
    )
    found = bias_variance(
        *data, *exact, "--replicas", "40", "--resample", "fresh", "-o", study
    ).data
    small, large = found["points"]
    assert small["training_loss"] == pytest.approx(
        0.25 * (1 - 5 / 15), rel=0.22
    )  # 40 replicas of 10 degrees of freedom: 7 % standard error
    assert large["training_loss"] == pytest.approx(0.25 * (1 - 5 / 100), rel=0.08)
    assert [point["zone"] for point in found["points"]] == ["more data helps", "curves have met"]
    again = bias_variance(study).data
    assert [point["training_loss"] for point in again["points"]] == pytest.approx(
        [small["training_loss"], large["training_loss"]]
    )


def test_curve_over_train_size_and_both_sources(tmp_path: Path) -> None:
    moons = ("--data", "moons(samples=120)", "--layers", "6", "--epochs", "2")
    found = bias_variance(
        *moons,
        "--replicas",
        "3",
        "--vary",
        "both",
        "--over",
        "train-size=10,40",
        "--loss",
        "cross-entropy",
    ).data
    assert [point["at"] for point in found["points"]] == [10, 40]
    assert all(point["replicas"] == 6 for point in found["points"])
    assert set(found["points"][0]["sources"]) == {"measure", "training_data", "seed"}
    assert found["sweet_spot"] in (10, 40)
    text = dlprobe(
        "bias-variance",
        *moons,
        "--replicas",
        "2",
        "--over",
        "l2",
        "--values",
        "0,0.1",
        "--resample",
        "disjoint",
    ).out
    assert "sweet spot" in text
    seeds = bias_variance(*moons, "--replicas", "3", "--vary", "seed").data
    assert seeds["points"][0]["variance"] >= 0.0
    assert seeds["training_sets"] == "one, the training part"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--train-error", "0.1"), "belong together"),
        (("--val-samples", "200"), "belong together"),
        (("--train-error", "8", "--val-error", "10"), "type 8% or 0.08"),
        (("--train-error", "8%", "--val-error", "0,10"), "--val-error 0,10: expected a share"),
        (("--train-error", "108%", "--val-error", "10%"), "expected a share"),
        (("--train-error=-0.1", "--val-error", "nan"), "expected a share"),
        (
            ("--train-error", "8%", "--val-error", "10%", "--replicas", "3"),
            "--replicas: no part of the reading",
        ),
        (
            ("--train-error", "8%", "--val-error", "10%", "--epochs", "3", "--loss", "squared"),
            "leave them out",
        ),
        (("--predictions", "none.npz", "--over", "width"), "--over: no part of the decomposition"),
        (("--human-error", "0.01"), "name a RUN"),
        (("--predictions", "none.npz"), "none.npz"),
        (("--loss", "hinge", "--replicas", "2"), "--loss: unknown value 'hinge'"),
        (("--over", "colour"), "unknown axis 'colour'"),
        (("--values", "1,2", "--replicas", "2"), "values of --over"),
        (
            ("--predictions", "none.npz", "--noise-variance", "guess"),
            "--noise-variance guess: expected a variance",
        ),
        (
            ("--predictions", "none.npz", "--noise-variance=-1"),
            "expected a variance, a number of 0 or more",
        ),
        (("--vary", "seed", "--resample", "bootstrap"), "learn the same training part"),
        (
            ("--data", "wine", "--replicas", "2", "--noise-variance", "0.1"),
            "leave it out with wine and zero-one",
        ),
        (("--over", "momentum_of_things=1"), "unknown axis"),
        (("--over", "batch-size"), "--over batch_size: expected values"),
        (("--over", "width=two"), "--over width: 'two'"),
        (("--data", "wine", "--over", "train-size=5000"), "expected samples from 1 to"),
        (("--data", "wine", "--resample", "fresh"), "not generated"),
        (
            ("--data", "wine", "--replicas", "500", "--resample", "disjoint"),
            "ask for fewer replicas",
        ),
        (
            ("--data", "wine", "--replicas", "2", "--split", "100,0,0"),
            "leaves no samples to predict",
        ),
        (
            (
                "--data",
                "diabetes",
                "--replicas",
                "2",
                "--loss",
                "zero-one",
                "--steps",
                "1",
                "--layers",
                "2",
            ),
            "needs classes",
        ),
    ],
)
def test_mistakes_are_one_clear_line(arguments: tuple[str, ...], problem: str) -> None:
    outcome = dlprobe("bias-variance", *arguments)
    assert outcome.code == 2
    assert len(outcome.errors) == 1
    assert problem in outcome.errors[0]


WAYS = {
    "of error rates": ["--train-error", "1%", "--val-error", "2%"],
    "given predictions": ["--predictions", "none.npz"],
    "of a run": [str(ROOT / "sample_runs" / "healthy.h5")],
    "retraining": ["--replicas", "2", "--data", "wine"],
}
SWITCHES = (
    "--replicas",
    "--over",
    "--predictions",
    "--train-error",
    "--val-error",
    "--resume",
)  # each begins a way of its own
VALUES = {"--loss": "squared", "--vary": "both"}


def options_by_group() -> dict[str, list[str]]:
    """The options in each group of --help but those of all commands; of several spellings the
    first.
    """
    found: dict[str, list[str]] = {}
    for option in load("bias-variance").params:
        if (group := getattr(option, "rich_help_panel", None)) and group not in (
            "Common options",
            "Figure",
        ):
            found.setdefault(group, []).append(option.opts[0])
    return found


def test_every_option_says_which_way_it_belongs_to() -> None:
    assert [
        group for group in options_by_group() if not any(way in group.lower() for way in WAYS)
    ] == []
    assert {option for options in options_by_group().values() for option in options} >= {
        "--human-error",
        "--predictions",
        "--loss",
        "--epochs",
        "--workers",
    }


@pytest.mark.parametrize("way", list(WAYS)[:3])
def test_an_option_of_another_way_is_refused(way: str) -> None:
    """What the help says of a group is what the command takes: nothing is passed over in
    silence.
    """
    others = [
        option
        for group, options in options_by_group().items()
        if way not in group.lower()
        for option in options
    ]
    passed = []
    for option in others:
        if option in (
            *SWITCHES,
            "--executor",
            "--scheduler",
            "--runs-per-task",
        ):  # the last three are of a cluster, which not everybody has
            continue
        value = [] if option == "--force" else VALUES.get(option, "2").split()
        outcome = dlprobe("bias-variance", *WAYS[way], option, *value)
        if outcome.code != 2 or "no part of" not in outcome.err:
            passed.append((option, outcome.err))
    assert len(others) > 50
    assert passed == []


def test_archive_without_predictions_is_told_what_to_save(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=np.zeros(3))
    assert (
        "np.savez(path, predictions="
        in dlprobe("bias-variance", "--predictions", str(tmp_path / "x.npz")).errors[0]
    )


def test_study_of_something_else_is_refused(tmp_path: Path) -> None:
    study = str(tmp_path / "grid.h5")
    grid = (
        "--data",
        "wine",
        "--depth",
        "1",
        "--activation",
        "relu",
        "--init",
        "he_normal",
        "--seeds",
        "1",
        "--steps",
        "1",
        "--width",
        "3",
    )
    assert dlprobe("gradients", *grid, "-o", study, "--quiet").code == 0
    assert "a study of something else" in dlprobe("bias-variance", study).errors[0]


def test_a_study_goes_on_with_more_replicas(tmp_path: Path) -> None:
    small, study = (
        ("--data", "moons(samples=60)", "--layers", "4", "--epochs", "2", "--over", "width=2,4"),
        str(tmp_path / "study.h5"),
    )
    whole = bias_variance(*small, "--replicas", "5").data["points"]
    assert bias_variance(*small, "--replicas", "3", "-o", study).data["points"] != whole
    assert bias_variance("--resume", study, "--replicas", "5").data["points"] == whole
    assert (
        bias_variance("--resume", study).data["points"]
        == bias_variance(study).data["points"]
        == whole
    )
    for words, wanted in (
        (("--replicas", "4"), "has 5 already"), (("--over", "depth"), ("--over: no part of "
            "--resume")), (("--lr", "1"), "--lr: no part of --resume"),
    ):  # fmt: skip
        refused = dlprobe("bias-variance", "--resume", study, *words)
        assert (refused.code, wanted in refused.err) == (2, True), refused.err
    assert dlprobe("bias-variance", "--resume", "nothing.h5").code == 2
