"""One diagnosis: what is the cause, what follows from it, what to try, what could not be looked
at.
"""

from __future__ import annotations

import shlex
from graphlib import TopologicalSorter
from typing import Any

import pytest
import rule_runs

from dlprobe.analysis.learning.states import State
from dlprobe.config import RunConfig, from_options
from dlprobe.config.typed import train_command
from dlprobe.experiments.proof import causes_to_prove
from dlprobe.rules import Finding, Judgement, Remedy, all_rules, judge
from dlprobe.rules.causes import Place, consequences, excluded_causes
from dlprobe.rules.diagnosis import Diagnosis, Observed, diagnose, diagnosis_of

PLACE = Place(("hidden_1", "hidden_2", "hidden_3", "hidden_4", "output"), last_step=99)
NOTHING_LEARNED = State("did not learn", "error 84.1 %")


def found(
    code: str,
    severity: Any = "error",
    layers: tuple[str, ...] = (),
    steps: tuple[int, ...] = (),
    patch: dict[str, str] | None = None,
) -> Finding:
    remedies = () if patch is None else (Remedy(patch, "because"),)
    return Finding(
        1.0,
        2.0,
        f"evidence of {code}",
        layers,
        steps,
        remedies,
        code,
        all_rules()[code].title,
        severity,
    )


def diagnosed(
    *findings: Finding,
    state: State = NOTHING_LEARNED,
    passed: tuple[str, ...] = (),
    config: RunConfig | None = None,
) -> Diagnosis:
    return diagnosis_of(Observed(state, PLACE, config), Judgement(findings, passed, {}), "net.h5")


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def test_what_rules_bring_about_are_rules_and_nothing_brings_itself_about() -> None:
    graph = {code: set(rule.brings_about) for code, rule in all_rules().items()}
    assert set().union(*graph.values()) <= set(graph)
    assert len(list(TopologicalSorter(graph).static_order())) == len(
        graph
    )  # raises CycleError for a circle


def test_a_consequence_of_a_consequence_is_one() -> None:
    assert "G001" in consequences("W002")
    assert "L001" in consequences("G001")
    assert "L001" in consequences("W002")
    assert "W002" not in consequences("G001")


def test_the_cause_is_furthest_upstream_though_milder_than_what_follows() -> None:
    said = diagnosed(found("G001"), found("L001"), found("W002", "warning"), found("D004", "info"))
    assert said.cause is not None
    assert (said.cause.code, codes(said.follows), codes(said.others)) == (
        "W002",
        ["G001", "L001"],
        ["D004"],
    )


def test_an_info_is_never_a_cause() -> None:
    assert diagnosed(found("W002", "info"), state=State("learned well", "")).cause is None


def test_what_ended_before_it_or_is_in_far_layers_does_not_follow() -> None:
    vanishing = found("G001", layers=("hidden_1", "hidden_2"), steps=(50, 90))
    assert PLACE.explains(vanishing, found("G005", layers=("hidden_2",), steps=(60,)))
    assert PLACE.explains(
        vanishing, found("G005", layers=("hidden_3",), steps=(60,))
    )  # a neighbour
    assert not PLACE.explains(vanishing, found("G005", layers=("hidden_4",), steps=(60,)))
    assert not PLACE.explains(vanishing, found("G005", layers=("hidden_2",), steps=(10, 40)))
    assert PLACE.explains(vanishing, found("L001"))


def test_what_was_seen_at_the_end_may_have_been_there_before() -> None:
    vanishing = found("G001", layers=("hidden_1", "hidden_2"), steps=(0, 98))
    assert PLACE.explains(found("A001", layers=("hidden_2",), steps=(99,)), vanishing)
    assert not Place(PLACE.layers).explains(
        found("A001", layers=("hidden_2",), steps=(99,)), vanishing
    )


@pytest.mark.parametrize(("began", "cause"), [(0, "A002"), (40, "G001")])
def test_saturation_that_came_after_the_signal_had_vanished_is_not_its_cause(
    began: int, cause: str
) -> None:
    """Layers without a signal drift into the flat ends of a sigmoid, thousands of steps later."""
    vanishing = found("G001", layers=("hidden_1", "hidden_2"), steps=(0, 98))
    saturated = found("A002", "warning", layers=("hidden_2",), steps=(began, 98))
    said = diagnosed(vanishing, saturated)
    assert said.cause is not None
    assert said.cause.code == cause


def test_that_nothing_was_learned_is_no_cause_and_what_was_excluded_is_said() -> None:
    said = diagnosed(
        found("L001", patch={"training.lr": "0.1"}),
        found("B001", "warning"),
        passed=("G001", "D004"),
    )
    assert (said.cause, said.cause_unknown, said.excluded) == (None, True, ("G001",))
    assert (codes(said.symptoms), [action.code for action in said.actions]) == (["L001"], ["L001"])
    assert excluded_causes(["L001"]) == ()


def test_a_run_that_learned_has_no_unknown_cause() -> None:
    said = diagnosed(
        found("D004", "info"), state=State("learned well", "error 1 %"), passed=("G001",)
    )
    assert (said.cause_unknown, said.excluded, said.sentence) == (
        False,
        (),
        "net.h5: learned well: error 1 %",
    )


def test_actions_come_once_in_the_order_of_causes_and_none_undoes_one_further_upstream() -> None:
    smaller, larger = {"training.lr": "0.001"}, {"training.lr": "0.1"}
    first, again, higher = (
        found("D005", patch=smaller),
        found("G003", patch=smaller),
        found("W004", "warning", patch=larger),
    )
    assert [
        (action.code, action.remedy.patch) for action in diagnosed(higher, again, first).actions
    ] == [("D005", smaller)]


def test_a_run_of_another_program_gets_words_and_no_command() -> None:
    said = diagnosed(
        Finding(
            1.0,
            2.0,
            "",
            remedies=(Remedy({}, "smaller steps"),),
            code="W003",
            name="x",
            severity="error",
        )
    )
    assert [(action.remedy.why, action.command) for action in said.actions] == [
        ("smaller steps", "")
    ]


@pytest.mark.parametrize("path", ["net.h5", "my runs/a b.h5", "it's.h5", "$(id).h5"])
def test_a_command_is_what_the_shell_takes_apart_again(path: str) -> None:
    patch = {"model.activation": "leaky_relu(slope=0.1)", "model.layers": "", "training.lr": "0.01"}
    expected = [
        "dlprobe",
        "train",
        path,
        "--activation",
        "leaky_relu(slope=0.1)",
        "--layers",
        "",
        "--lr",
        "0.01",
    ]
    assert shlex.split(train_command(path, RunConfig(), patch)) == expected


def test_reasons_of_one_kind_are_one_group() -> None:
    reasons = {
        "A005": "no histograms",
        "R001": "no baseline: add --against RUN",
        "R002": "no baseline: give more",
    }
    recorded = {
        "G004": "gradient_norm was not recorded",
        "W006": "sharpness was not recorded",
        "N001": "nonfinite_forward and x were not recorded",
    }
    groups = diagnose(
        rule_runs.made(), Judgement(not_evaluated={**reasons, **recorded}), "net.h5"
    ).not_evaluated
    assert [group.text() for group in groups] == [
        "not recorded: gradient_norm, sharpness, nonfinite_forward and x (3)",
        "no baseline, e.g. add --against RUN (2)",
        "no histograms (1)",
    ]


@pytest.mark.parametrize(("steps", "explained"), [((0, 99), True), ((50, 99), False)])
def test_a_norm_explains_what_exploded_from_the_start_only_where_it_was_ill_from_there(
    steps: tuple[int, int], explained: bool
) -> None:
    """Batches are too small from the first step on; running statistics go astray later."""
    exploding = found("G002", layers=("hidden_1",), steps=(0, 99))
    assert PLACE.explains(found("A007", layers=("hidden_1",), steps=steps), exploding) is explained


def test_every_finding_stands_in_one_place() -> None:
    run = rule_runs.made(evaluations=rule_runs.FAILED)
    judgement = judge(run)
    said = diagnose(run, judgement, "net.h5")
    told = [*([said.cause] if said.cause else []), *said.follows, *said.symptoms, *said.others]
    assert sorted(map(id, told)) == sorted(map(id, judgement.findings))


@pytest.mark.parametrize(
    ("evaluations", "state"),
    [(rule_runs.FAILED, "interrupted"), (rule_runs.LEARNED, "learned well")],
)
def test_a_stopped_run_is_interrupted_unless_it_had_learned(evaluations: Any, state: str) -> None:
    run = rule_runs.made(evaluations=evaluations, status="interrupted")
    said = diagnose(run, Judgement(), "net.h5")
    assert (said.state.name, "stopped after 400 steps" in said.state.reason) == (state, True)


TWO = (
    found("W002", "warning", patch={"model.init": "auto"}),
    found("D001", "warning", patch={"data.scaling": "standardize"}),
)
RAW = from_options(None, {"data": "wine", "scaling": "none", "init": "normal(std=1)", "lr": "0.1"})


def test_causes_beside_each_other_are_named_and_undone_together_first() -> None:
    said = diagnosed(*TWO, found("L001"), config=RAW)
    assert sorted(codes(said.together)) == ["D001", "W002"]
    first, *others = [dict(action.remedy.patch) for action in said.actions]
    assert first == {"model.init": "auto", "data.scaling": "standardize"}
    assert {key for patch in others for key in patch} == set(first)  # the single ones stay
    assert [each["code"] for each in said.to_json()["together"]] == codes(said.together)
    steps = [dict(each.patch) for each in causes_to_prove(said)]
    assert (len(steps), steps[-1]) == (2, first)
    assert steps[0].items() < first.items()


def test_a_cause_that_would_undo_another_or_changes_nothing_is_not_joined() -> None:
    against = found("W004", "warning", patch={"model.init": "zeros"})
    nothing = found("G003", "warning", patch={"training.lr": "0.1"})
    said = diagnosed(TWO[0], against, nothing, config=RAW)
    assert (said.together, [dict(each.patch) for each in causes_to_prove(said)]) == (
        (),
        [{"model.init": "auto"}],
    )


def test_a_run_that_learned_has_nothing_to_undo_together() -> None:
    assert diagnosed(*TWO, state=State("learned well", ""), config=RAW).together == ()


def test_where_nothing_is_named_plain_settings_are_offered() -> None:
    (action,) = diagnosed(config=RAW).actions
    assert action.code == ""
    assert dict(action.remedy.patch) == {
        "data.scaling": "standardize",
        "model.init": "auto",
        "training.lr": "auto",
    }
    assert (
        diagnosed(
            config=from_options(
                None, {"data": "wine", "scaling": "standardize", "batch_size": "32"}
            )
        ).actions
        == ()
    )
    assert diagnosed(state=State("learned well", ""), config=RAW).actions == ()
