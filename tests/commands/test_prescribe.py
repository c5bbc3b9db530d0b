"""`prescribe`: which changes are tried, what counts as a cure, which is the cheapest, and the configuration that is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import ROOT, dlprobe

from dlprobe.config import from_mapping, from_toml, with_values
from dlprobe.experiments.prescription import Result, Treatment, Trial, cheapest_cure, second_round, treated_codes, treatments
from dlprobe.reports.prescribe import prescribe_document
from dlprobe.rules import Finding, Remedy

CONFIG = from_mapping({})


def finding(code: str, severity: str, *patches: dict[str, str]) -> Finding:
    return Finding(1.0, 0.5, "", remedies=tuple(Remedy(patch, f"why {code}") for patch in patches), code=code, severity=severity)  # type: ignore[arg-type]


def result(metrics: list[float], ill: list[bool], work: float = 1.0, others: tuple[str, ...] = ()) -> Result:
    trials = [Trial(metric, ("G001",) if still else (), others, work) for metric, still in zip(metrics, ill, strict=True)]
    return Result(Treatment(CONFIG, ("G001",), Remedy({"model.norm": "batch"}, "why")), tuple(trials))


BEFORE = result([0.9] * 5, [True] * 5)


def test_errors_are_treated_and_warnings_only_where_there_is_no_error() -> None:
    error, warning, info = finding("G001", "error"), finding("A003", "warning"), finding("B001", "info")
    assert treated_codes([error, warning, info]) == ("G001",)
    assert treated_codes([warning, info]) == ("A003",)
    assert treated_codes([info]) == ()


def test_every_different_change_is_tried_once_in_the_order_of_the_findings_what_is_to_be_cured_first() -> None:
    relu, norm, rate = {"model.activation": "tanh"}, {"model.norm": "batch"}, {"training.lr": "1"}
    found = treatments(CONFIG, [finding("G001", "error", relu, norm), finding("A003", "warning", rate), finding("L001", "error", norm)], 8)
    assert [(dict(each.remedy.patch), each.codes) for each in found if each.remedy] == [
        (relu, ("G001",)),
        (norm, ("G001", "L001")),
        (rate, ("A003",)),
        ({**relu, **norm}, ("G001", "L001")),
    ]


def test_the_first_changes_of_the_findings_pile_up_in_their_order() -> None:
    """Four findings: two, three and four of them together; of two values for one key that of the earlier finding stays."""
    patches = [{"model.norm": "batch"}, {"training.lr": "0.5"}, {"training.lr": "0.1"}, {"training.l2": "1e-3"}]
    ill = [finding(code, "error", patch) for code, patch in zip(("A001", "G001", "L001", "N001"), patches, strict=True)]
    two = {"model.norm": "batch", "training.lr": "0.5"}
    # three together are the same as two, as both rates cannot be had
    assert [dict(each.remedy.patch) for each in treatments(CONFIG, ill, 8)[4:] if each.remedy] == [two, {**two, "training.l2": "1e-3"}]
    assert [dict(each.remedy.patch) for each in treatments(CONFIG, ill, 1) if each.remedy] == [patches[0], {**two, "training.l2": "1e-3"}]


def test_changes_that_change_nothing_or_are_impossible_are_not_tried() -> None:
    patches = {"model.activation": "relu"}, {"model.activation": "no_such_thing"}
    assert treatments(CONFIG, [finding("G001", "error", *patches)], 8) == []


def test_the_cheapest_of_the_cures_is_chosen() -> None:
    dear, cheap = result([0.1] * 5, [False] * 5, work=3.0), result([0.2] * 5, [False] * 4 + [True], work=2.0)
    assert cheapest_cure([BEFORE, dear, cheap]) is cheap


def test_the_second_round_joins_what_helped_most_with_what_its_own_findings_name_and_with_the_other_changes() -> None:
    """Of two changes that did not cure the better one goes on; what was tried before is not tried again."""
    norm, scaling, rate = {"model.norm": "batch"}, {"data.scaling": "minmax"}, {"training.lr": "1"}
    helped, other = (Treatment(with_values(CONFIG, patch), ("L001",), Remedy(patch, "why")) for patch in (norm, rate))
    best = Result(helped, (Trial(0.5, ("L001",), (), 1.0, (finding("D001", "warning", scaling, {"training.epochs": "5"}),)),))
    tried = [result([0.9], [True]), result([0.8], [True]), best, Result(other, (Trial(0.7, ("L001",), (), 1.0),))]
    assert [dict(each.remedy.patch) for each in second_round(tried, 8) if each.remedy] == [
        {**norm, **scaling},
        {**norm, "training.epochs": "5"},
        {**norm, **rate},
    ]


def test_there_is_no_second_round_where_nothing_helped() -> None:
    assert second_round([BEFORE, result([0.9] * 5, [True] * 5)], 8) == []


@pytest.mark.parametrize(
    "no_cure",
    [
        result([0.1] * 5, [False] * 3 + [True] * 2),  # gone in 3 of 5 seeds only
        result([0.95] * 5, [False] * 5),  # gone, and worse than before
        result([0.1] * 5, [False] * 5, others=("N001",)),  # gone, and another error has come
        result([float("nan")] * 5, [False] * 5),  # diverged
    ],
)
def test_what_is_no_cure(no_cure: Result) -> None:
    assert cheapest_cure([BEFORE, no_cure]) is None


def test_it_says_so_when_nothing_helped() -> None:
    document = prescribe_document("run.h5", ("G001",), [BEFORE, result([0.9] * 5, [True] * 5)], None, "")
    assert any("nothing helped" in getattr(block, "line", "") for block in document.blocks)
    assert (document.data["cure"], document.data["written"]) == (None, None)


def test_a_vanishing_net_is_cured_and_the_configuration_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(ROOT / "sample_runs" / "vanishing.h5")
    data = dlprobe("prescribe", run, "--seeds", "1", "--tries", "2", "--format", "json").data
    assert data["treated"][0] == "G001"
    assert data["cure"]["error"] < data["results"][0]["error"]
    text = Path(data["written"]).read_text(encoding="utf-8")
    assert f"# CHANGED for {', '.join(data['cure']['codes'])}: {data['cure']['why']}" in text
    changed = from_toml(data["written"])
    assert changed != from_toml(ROOT / "sample_runs" / "vanishing.toml")
    again = dlprobe("prescribe", run, "--seeds", "1", "--tries", "1")
    assert (again.code, len(again.errors)) == (2, 1)


def test_a_healthy_run_has_nothing_to_prescribe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = dlprobe("prescribe", str(ROOT / "sample_runs" / "healthy.h5"))
    assert outcome.code == 0
    assert "nothing to prescribe" in outcome.out
    assert list(tmp_path.iterdir()) == []
