"""`prescribe`: which changes are tried and in which order, what counts as a cure, which one is
taken, and the configuration that is written.
"""

from __future__ import annotations

import math
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ROOT, dlprobe
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlprobe.analysis.learning.states import State
from dlprobe.config import RunConfig, from_mapping, from_options, from_toml, to_mapping, with_values
from dlprobe.executors import threads
from dlprobe.experiments.changes import work_ratio
from dlprobe.experiments.prescription import (
    Prescription,
    Tried,
    best_cure,
    is_better,
    judged_results,
)
from dlprobe.experiments.treatments import (
    DEAR,
    Result,
    Treatment,
    own_choices,
    piled,
    second_round,
    treated_codes,
    treatments,
)
from dlprobe.experiments.trials import Trial
from dlprobe.reports.prescribe import prescribe_document
from dlprobe.rules import Diagnosis, Finding, Remedy
from dlprobe.training.prepared_sets import PreparedSets

CONFIG = from_mapping({})
SETS = PreparedSets()


def finding(code: str, severity: str, *patches: dict[str, str]) -> Finding:
    return Finding(
        1.0,
        0.5,
        "",
        remedies=tuple(Remedy(patch, f"why {code}") for patch in patches),
        code=code,
        severity=severity,
    )  # type: ignore[arg-type]


def patches(found: list[Treatment]) -> list[dict[str, str]]:
    return [dict(each.remedy.patch) for each in found if each.remedy]


def result(
    metrics: list[float],
    cured: int | None = None,
    work: float = 1.0,
    role: Any = "change",
    change: str = "",
) -> Result:
    trials = tuple(Trial("learned well", 0.9, metric, findings=()) for metric in metrics)
    treatment = Treatment(
        CONFIG,
        ("G001",),
        Remedy({"model.norm": "batch"}, "why") if role == "change" else None,
        role,
        change,
    )
    return Result(treatment, trials, work, len(metrics) if cured is None else cured)


BEFORE = result([0.9] * 3, 0, role="as it is")


# Which changes are tried


def test_errors_are_treated_and_warnings_only_where_there_is_no_error() -> None:
    error, warning, info = (
        finding("G001", "error"),
        finding("A003", "warning"),
        finding("B001", "info"),
    )
    assert treated_codes([error, warning, info]) == ("G001",)
    assert treated_codes([warning, info]) == ("A003",)
    assert treated_codes([info]) == ()


def test_every_different_change_is_tried_once_the_causes_first_then_those_of_errors_then_of_warnings() -> (  # noqa: E501
    None
):
    tanh, norm, rate, init = (
        {"model.activation": "tanh"},
        {"model.norm": "batch"},
        {"training.lr": "1"},
        {"model.init": "zeros"},
    )
    cause = finding("W002", "warning", init)
    found = treatments(
        CONFIG,
        [
            finding("G001", "error", tanh, norm),
            finding("A003", "warning", rate),
            finding("L001", "error", norm),
            cause,
        ],
        8,
        cause=cause,
    )
    assert [(dict(each.remedy.patch), each.codes) for each in found if each.remedy] == [
        (init, ("W002",)),
        (tanh, ("G001",)),
        (norm, ("G001", "L001")),
        (rate, ("A003",)),
    ]


def test_changes_that_change_nothing_are_impossible_or_open_another_file_are_not_tried() -> None:
    wrong = (
        {"model.activation": "relu"},
        {"model.activation": "no_such_thing"},
        {"data.data": "/etc/passwd"},
        {"training.seed": "1", "data.data_seed": "0"},
    )
    assert treatments(CONFIG, [finding("G001", "error", *wrong)], 8) == []


WIDER, LONGER, DEEPER = (
    {"model.layers": "400,400"},
    {"training.epochs": "80"},
    {"model.layers": "100x8"},
)


def test_more_of_the_same_is_tried_only_where_the_cause_asks_for_it() -> None:
    """A net of 16 × the width vanishes as the narrow one does: the factor per layer stays."""
    norm = {"model.norm": "batch"}
    vanishing, bias = (
        finding("G001", "error", norm),
        finding("B001", "warning", WIDER, LONGER, DEEPER, {"model.layers": "30"}),
    )
    assert patches(treatments(CONFIG, [vanishing, bias], 8, cause=vanishing)) == [
        norm,
        {"model.layers": "30"},
    ]
    assert patches(treatments(CONFIG, [vanishing, bias], 8, cause=bias)) == [
        {"model.layers": "30"},
        norm,
        WIDER,
        LONGER,
        DEEPER,
    ]
    assert patches(treatments(CONFIG, [bias], 8)) == [
        {"model.layers": "30"},
        WIDER,
        LONGER,
        DEEPER,
    ]  # the cause is not known


BOTH = {"training.epochs": "80", "training.lr": "1"}
CHANGES = st.sampled_from(
    [
        WIDER,
        LONGER,
        BOTH,
        {"model.norm": "batch"},
        {"training.lr": "1"},
        {"model.layers": "7"},
        {"data.scaling": "none"},
    ]
)
FINDINGS = st.lists(
    st.tuples(
        st.sampled_from(["G001", "L001", "A003", "B001"]),
        st.sampled_from(["error", "warning", "info"]),
        st.lists(CHANGES),
    ),
    max_size=5,
)


@settings(max_examples=30, deadline=None)
@given(FINDINGS, st.integers(1, 8))
def test_whatever_is_named_the_cheap_comes_before_the_dear_and_the_cause_before_the_rest(
    named: list[Any], most: int
) -> None:
    findings = [finding(code, severity, *asked) for code, severity, asked in named]
    cause = next((each for each in findings if each.severity != "info"), None)
    found = treatments(CONFIG, findings, most, cause=cause, sets=SETS)
    assert len(found) <= most
    assert len({str(to_mapping(each.config)) for each in found}) == len(found)
    dear = [work_ratio(each.config, CONFIG, SETS) > DEAR for each in found]
    assert dear == sorted(dear)
    for cost in (False, True):
        causes = [
            cause is not None and any(each.remedy == remedy for remedy in cause.remedies)
            for each, at in zip(found, dear, strict=True)
            if at is cost
        ]
        assert causes == sorted(causes, reverse=True)
    own = [] if cause is None else [dict(remedy.patch) for remedy in cause.remedies]
    assert all(patch in own for patch in patches(found) if patch in (WIDER, LONGER)), "hopeless"


def test_of_a_run_that_failed_what_it_chose_itself_is_tried_last() -> None:
    """An output of relu under mse, whose bits it cannot tell apart, is named by no finding: the
    default is tried all the same.
    """
    options = {
        "layers": "2,2",
        "init": "glorot_uniform",
        "optimizer": "sgd",
        "lr": "0.01",
        "output_activation": "relu",
        "loss": "mse",
        "scaling": "none",
    }
    config = from_options(None, options)
    named = {"model.norm": "batch"}
    found = patches(treatments(config, [finding("B001", "warning", named)], 8, failed=True))
    assert found[0] == named
    assert {"model.output_activation": "auto", "training.loss": "auto"} in found
    assert {"data.scaling": "standardize"} in found
    assert patches(treatments(config, [finding("B001", "warning", named)], 8)) == [
        named
    ]  # it learned: its choices are no suspects
    assert list(own_choices(CONFIG)) == []


# What cures


ILL, GONE, NEW = (finding("G001", "error"),), (), (finding("N001", "error"),)


@pytest.mark.parametrize(
    ("trial", "failed", "cured"),
    [
        (
            Trial("learned well", 0.9, 0.1, findings=ILL),
            True,
            True,
        ),  # it learned: what rules say of it does not count
        (Trial("did not learn", 0.0, 0.9, findings=GONE), True, False),
        (Trial("diverged", -math.inf, math.inf, findings=GONE), True, False),
        (Trial("learned well", 0.9, 0.1, findings=GONE), False, True),
        (
            Trial("learned well", 0.9, 0.1, findings=ILL),
            False,
            False,
        ),  # it had learned, and the finding stays
        (Trial("learned well", 0.9, 0.1, findings=NEW), False, False),
        (Trial("learned well", 0.9, 0.95, findings=GONE), False, False),  # worse than before
        (Trial("learned well", 0.9, 0.1, findings=None), False, False),  # nobody looked
    ],
)
def test_what_is_a_cured_seed(trial: Trial, failed: bool, cured: bool) -> None:
    before = Result(
        Treatment(CONFIG, role="as it is"), (Trial("did not learn", 0.0, 0.9, findings=ILL),)
    )
    judged = judged_results(
        [before, Result(Treatment(CONFIG), (trial,))], ("G001",), ("G001",), failed
    )
    assert judged[1].cured == int(cured)


@pytest.mark.parametrize(
    ("cured", "of", "cures"),
    [(3, 3, True), (2, 3, False), (4, 5, True), (3, 5, False), (0, 1, False)],
)
def test_four_of_five_seeds_make_a_cure(cured: int, of: int, cures: bool) -> None:
    assert result([0.1] * of, cured).cures == cures
    assert (best_cure([BEFORE, result([0.1] * of, cured)]) is not None) == cures


# Which cure is taken

TABLE = [
    # (metrics, work) of the cures, and which is taken
    ([([0.401] * 3, 1.0), ([0.384] * 3, 1.0)], 1),  # of equal cost the better one
    (
        [([0.0215, 0.02, 0.03], 1.0), ([0.0055, 0.005, 0.006], 1.0)],
        1,
    ),  # two numbers whose sum is asked: standardized inputs before Adam
    (
        [([1.2, 1.21, 1.2], 1.0), ([0.104, 0.105, 0.104], 1.0)],
        1,
    ),  # a line that diverged: standardized inputs before clipping
    # means .20 and .21, deviations .04 and .05: one error of the difference is √(.04²/3 + .05²/3) =
    # .037, so the cheaper one
    ([([0.16, 0.20, 0.24], 4.0), ([0.16, 0.21, 0.26], 1.0)], 1),
    (
        [([0.199, 0.200, 0.201], 4.0), ([0.24, 0.25, 0.26], 1.0)],
        0,
    ),  # .05 apart, an error of .0058: the dear one is better
    ([([0.20] * 3, 1.0), ([0.25, 0.30, 0.35], 0.1)], 0),  # cheap and clearly worse
    (
        [([0.16, 0.20, 0.24], 1.05), ([0.16, 0.21, 0.26], 1.0)],
        0,
    ),  # 5 % of work are none: the better one
    ([([0.3], 1.0), ([0.2], 5.0)], 1),  # one seed says nothing of the spread: the best
    ([([0.1] * 4 + [math.inf], 1.0), ([0.3] * 5, 1.0)], 0),  # one of five diverged
]


@pytest.mark.parametrize(("cures", "taken"), TABLE)
def test_the_best_within_the_spread_of_the_seeds_and_then_the_cheapest_is_taken(
    cures: list[tuple[list[float], float]], taken: int
) -> None:
    results = [
        result(metrics, work=work, cured=len(metrics) - (math.inf in metrics))
        for metrics, work in cures
    ]
    assert best_cure([BEFORE, *results]) is results[taken]
    assert (
        best_cure([BEFORE, *reversed(results)]) is results[taken]
    )  # in whatever order they were tried


@settings(max_examples=50, deadline=None)
@example([([0.5, 0.5, 0.5], 3.0), ([0.5, 0.5, 0.125], 2.0), ([0.75, 0.6875, 0.25], 1.0)])
@given(
    st.lists(
        st.tuples(st.lists(st.floats(0.01, 0.8), min_size=3, max_size=3), st.floats(0.1, 10.0)),
        min_size=1,
        max_size=6,
    )
)
def test_no_cure_is_clearly_better_than_the_one_that_is_taken(
    cures: list[tuple[list[float], float]],
) -> None:
    """Nor as good and clearly cheaper."""
    results = [result(metrics, work=work) for metrics, work in cures]
    taken = best_cure([BEFORE, *results])
    assert taken is not None
    good = [each for each in results if not any(is_better(other, each) for other in results)]
    assert taken in good
    assert all(taken.work <= 1.1 * each.work for each in good)


def test_a_cure_is_no_worse_than_the_run_as_it_is() -> None:
    assert best_cure([result([0.2] * 3, 0, role="as it is"), result([0.3] * 3)]) is None


def test_plain_defaults_are_no_change_of_the_run() -> None:
    assert best_cure([BEFORE, result([0.01] * 3, role="defaults")]) is None


# The second round


def test_the_second_round_joins_what_helped_most_with_what_its_own_findings_name_and_with_the_other_changes() -> (  # noqa: E501
    None
):
    """Of two changes that did not cure the better one goes on; what was tried before is not
    tried again; at last the first changes of all together.
    """
    norm, scaling, rate = {"model.norm": "batch"}, {"data.scaling": "minmax"}, {"training.lr": "1"}
    helped, other = (
        Treatment(with_values(CONFIG, patch), ("L001",), Remedy(patch, "why"))
        for patch in (norm, rate)
    )
    best = Result(
        helped,
        (
            Trial(
                "did not learn",
                0.1,
                0.5,
                findings=(finding("D001", "warning", scaling, {"training.epochs": "5"}),),
            ),
        ),
    )
    tried = [
        result([0.9], 0, role="as it is"),
        best,
        Result(other, (Trial("did not learn", 0.05, 0.7),)),
        result([0.1], 0, role="defaults"),
    ]
    ill = [finding("G001", "error", rate), finding("L001", "error", {"training.l2": "1e-3"})]
    assert patches(second_round(tried, ill, 8)) == [
        {**norm, **scaling},
        {**norm, "training.epochs": "5"},
        {**norm, **rate},
        {**rate, "training.l2": "1e-3"},
    ]
    assert len(second_round(tried, ill, 2)) == 2


def test_there_is_no_second_round_where_nothing_helped() -> None:
    assert second_round([BEFORE, result([0.9] * 3, 0)], [], 8) == []


def test_of_two_values_for_one_key_that_of_the_earlier_finding_stays() -> None:
    asked = [
        {"model.norm": "batch"},
        {"training.lr": "0.5"},
        {"training.lr": "0.1", "training.l2": "1e-3"},
    ]
    ill = [
        finding(code, "error", patch)
        for code, patch in zip(("A001", "G001", "L001"), asked, strict=True)
    ]
    together = piled(CONFIG, ill)
    assert together is not None
    assert patches([together]) == [
        {"model.norm": "batch", "training.lr": "0.5", "training.l2": "1e-3"}
    ]
    assert piled(CONFIG, ill[:1]) is None


# What is said


def said(
    results: list[Result], complete: bool = True, planned: int = 7, failed: bool = True
) -> tuple[str, dict[str, Any]]:
    prescription = Prescription(
        CONFIG,
        [finding("G001", "error", {"model.norm": "batch"})],
        (0, 1, 2),
        8,
        SETS,
        None,
        failed,
    )
    found = Diagnosis("run.h5", State("did not learn", "error 90 %"))
    document = prescribe_document(
        found, prescription, Tried(results, complete, planned), plain="dlprobe train --data wine"
    )
    texts = [getattr(block, "line", getattr(block, "text", "")) for block in document.blocks]
    texts += [
        f"{entry.command} {entry.why}"
        for block in document.blocks
        for entry in getattr(block, "entries", ())
    ]
    return " ".join(texts), document.data


CURE = result([0.25, 0.25, 0.25], change="norm = batch")


@pytest.mark.parametrize(
    ("results", "complete", "words"),
    [
        (
            [BEFORE, CURE],
            True,
            (
                "run.h5: cured by norm = batch: 3 of 3 seeds learn, error 25.0 %; as it is 0 of "
                "3, 90.0 %"
            ),
        ),
        ([BEFORE, CURE], False, "cured so far (1 of 7 changes tried) by norm = batch"),
        (
            [BEFORE, result([0.8] * 3, 0, change="lr = 1")],
            True,
            (
                "nothing cures: as it is 0 of 3 seeds learn, error 90.0 %; nearest is lr = 1: 0 "
                "of 3, 80.0 %"
            ),
        ),
        ([BEFORE], False, "nothing cures so far (0 of 7 changes tried)"),
        (
            [BEFORE, CURE, result([0.1] * 3, role="defaults")],
            True,
            (
                "dlprobe train --data wine plain defaults are better than this: 3 of 3 seeds "
                "learn, error 10.0 %"
            ),
        ),
        (
            [BEFORE, CURE, result([0.3] * 3, role="defaults")],
            True,
            "Plain defaults: 3 of 3 seeds learn, error 30.0 %.",
        ),
        (
            [BEFORE, result([0.8] * 3, 0), result([0.3] * 3, role="defaults")],
            True,
            "nothing cures, but plain defaults do: 3 of 3 seeds learn, error 30.0 %",
        ),
        (
            [result([0.1, 0.1, 0.1], role="as it is"), result([0.2] * 3, 0)],
            True,
            "bad luck: as it is, 3 of 3 seeds learn",
        ),
    ],
)
def test_the_conclusion_comes_first(results: list[Result], complete: bool, words: str) -> None:
    text, data = said(results, complete)
    assert words in text
    assert (data["complete"], data["tried"], data["planned"]) == (
        complete,
        sum(each.treatment.role == "change" for each in results),
        7,
    )
    assert data["defaults_better"] == ("are better" in words)


# As a user


@pytest.fixture
def vanishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "sample_runs" / "vanishing.h5", "ill.h5")
    return "ill.h5"


def test_a_vanishing_net_is_cured_and_the_configuration_says_only_what_is_not_default_and_why(
    vanishing: str,
) -> None:
    data = dlprobe("prescribe", vanishing, "--seeds", "1", "--tries", "2", "--format", "json").data
    assert data["treated"][0] == "G001"
    assert [each["role"] for each in data["results"]] == [
        "as it is",
        "change",
        "change",
        "defaults",
    ]
    assert data["cure"]["error"] < data["results"][0]["error"]
    text = Path("ill-cured.toml").read_text(encoding="utf-8")
    assert f"for {', '.join(data['cure']['codes'])}: {data['cure']['why']}" in text
    assert max(map(len, text.splitlines()[:4])) <= 100
    cured, plain = from_toml("ill-cured.toml"), to_mapping(RunConfig(), whole=True)
    ill = with_values(from_toml(ROOT / "sample_runs" / "vanishing.toml"), {"data.data_seed": "0"})
    assert cured == with_values(ill, data["cure"]["patch"])
    written = {(table, key) for table, keys in tomllib.loads(text).items() for key in keys}
    changed = {tuple(place.split(".")) for place in data["cure"]["patch"]}
    assert all(
        (table, key) in changed or to_mapping(cured, whole=True)[table][key] != plain[table][key]
        for table, key in written
    )
    again = dlprobe("prescribe", vanishing, "--seeds", "1", "--tries", "1")
    assert (again.code, len(again.errors)) == (2, 1)


def test_a_healthy_run_has_nothing_to_prescribe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = dlprobe("prescribe", str(ROOT / "sample_runs" / "healthy.h5"))
    assert outcome.code == 0
    assert outcome.out.startswith("✓ ")  # the words of its diagnosis
    assert "nothing to prescribe" in outcome.out
    assert list(tmp_path.iterdir()) == []


def counting(patch: pytest.MonkeyPatch, most: int | None = None) -> list[int]:
    """How many runs each round trains, of which the first ones end before a stop."""
    real, counts = threads.run_all, []

    def counted(wanted: list[Any], workers: int, stop: Any) -> Iterator[Any]:
        counts.append(len(wanted))
        yield from real(wanted[:most], 1, stop)
        if most is not None:
            stop.ask()

    patch.setattr(threads, "run_all", counted)
    return counts


def test_what_was_stopped_says_how_much_was_tried_and_goes_on(
    vanishing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = (
        "prescribe",
        vanishing,
        "--seeds",
        "1",
        "--tries",
        "2",
        "--force",
        "--format",
        "json",
    )
    with monkeypatch.context() as patch:
        counting(patch, 2)
        stopped = dlprobe(*arguments)
    assert (
        stopped.code,
        stopped.data["complete"],
        stopped.data["tried"],
        stopped.data["planned"],
    ) == (130, False, 1, 2)
    assert "ill.proof.json keeps them, and the same command goes on" in stopped.err
    counts = counting(monkeypatch)
    finished = dlprobe(*arguments)
    assert (finished.code, counts) == (0, [2])  # as it is and the first change were there
    first = [
        [(each["patch"], each["error"]) for each in outcome.data["results"][:2]]
        for outcome in (stopped, finished)
    ]
    assert first[0] == first[1]


def test_a_proof_that_is_there_is_not_trained_again_and_both_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "sample_runs" / "dead.h5", "dead.h5")
    assert dlprobe("check", "dead.h5", "--prove", "--exit-zero").code == 0
    counts = counting(monkeypatch)
    data = dlprobe("prescribe", "dead.h5", "--seeds", "1", "--tries", "1", "--format", "json").data
    assert counts[0] == 2  # as it is, and plain defaults
    first = data["results"][1]
    assert (first["patch"], first["seeds"], first["cured"]) == (
        data["proof"]["cause"]["patch"],
        5,
        data["proof"]["undone"],
    )
    assert len(list(Path().glob("*.proof.json"))) == 1


def line_that_diverges() -> str:
    r = np.random.default_rng(0)
    x = r.random((500, 1)) * 100
    np.savez("line.npz", X=x, y=5 * x[:, 0] + 3 + r.normal(size=500) * 0.1)
    options = (
        "--init",
        "zeros",
        "--loss",
        "mse",
        "--optimizer",
        "sgd",
        "--lr",
        "0.01",
        "--batch-size",
        "full",
        "--steps",
        "500",
        "--scaling",
        "none",
    )
    assert (
        dlprobe(
            "train",
            "--data",
            "line.npz",
            "--layers",
            "",
            *options,
            "--target-scaling",
            "none",
            "-o",
            "line.h5",
            "-q",
        ).code
        == 0
    )
    return "line.h5"


def test_of_a_line_that_diverges_the_scale_is_cured_and_not_the_step_clipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """y = 5x + 3 with noise .1 and x up to 100: clipping has some RMSE of 1, standardizing the
    noise, at equal work.
    """
    monkeypatch.chdir(tmp_path)
    data = dlprobe("prescribe", line_that_diverges(), "--seeds", "1", "--format", "json").data
    patch = data["cure"]["patch"]
    assert patch["data.scaling"] == "standardize"
    assert not any("clip" in key for key in patch)
    assert data["cure"]["error"] < 0.15
    assert data["cure"]["work"] == 1.0


def test_of_saturated_inputs_the_scale_is_cured_and_not_the_optimizer_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two numbers up to 100, is their sum above 50: Adam halves the error, standardizing leaves
    a tenth of it, at equal work.
    """
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).random((4000, 2)) * 100
    np.savez("sum50.npz", X=x, y=(x.sum(1) > 50).astype(int))
    options = (
        "--layers",
        "110",
        "--activation",
        "tanh",
        "--optimizer",
        "sgd",
        "--lr",
        "0.1",
        "--batch-size",
        "100",
        "--epochs",
        "8",
        "--scaling",
        "none",
    )
    assert dlprobe("train", "--data", "sum50.npz", *options, "-o", "sum50.h5", "-q").code == 0
    data = dlprobe("prescribe", "sum50.h5", "--seeds", "1", "--format", "json").data
    assert data["cure"]["patch"] == {"data.scaling": "standardize"}
    errors = {str(each["patch"]): each["error"] for each in data["results"]}
    assert data["cure"]["error"] < 0.02
    assert any("adam" in patch for patch in errors)
    assert all(error > data["cure"]["error"] for patch, error in errors.items() if "adam" in patch)
