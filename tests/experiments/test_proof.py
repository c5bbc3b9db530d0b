"""Proofs: what counts prove, what undone and sham train, and one real small net per outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from scipy.stats import fisher_exact

from dlprobe.config import RunConfig, from_options, to_mapping, with_values
from dlprobe.experiments.changes import change_text, key_of, plain_defaults
from dlprobe.experiments.experiment import Means
from dlprobe.experiments.proof import ProofExperiment
from dlprobe.experiments.proof_record import Cause, Proof, verdict_reason
from dlprobe.experiments.trials import Trial, reachable_skill, trial_of
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

WELL, FAILED = Trial("learned well", 0.95, 0.05), Trial("did not learn", 0.0, 0.9)
DIVERGED, PARTLY = Trial("diverged", -math.inf, math.inf), Trial("learned in part", 0.4, 60.0)
SETS = PreparedSets()
NET = from_options(
    None,
    {"data": "blobs(samples=200, classes=3)", "layers": "6,5", "epochs": "40", "data_seed": "0"},
)
ZEROS = with_values(NET, {"model.init": "zeros"})
HEALTHY = with_values(NET, {"model.layers": "20,20", "training.lr": "0.01"})
EQUAL = with_values(HEALTHY, {"model.init": "zeros"})


def prove(
    config: RunConfig,
    patch: Mapping[str, str],
    seeds: int = 5,
    *,
    means: Means | None = None,
    **how: Any,
) -> Proof | None:
    return ProofExperiment.of(config, Cause("", "", patch), seeds, **how).run(means or Means())


def proof_of(
    undone: list[Trial],
    shams: list[Trial],
    asked: int | None = None,
    defaults: tuple[Trial, ...] = (),
) -> Proof:
    pairs = {
        seed: (one, (other,)) for seed, (one, other) in enumerate(zip(undone, shams, strict=True))
    }
    return Proof(
        Cause("W001", "symmetric-weights", {}),
        "init = he_normal",
        tuple(range(asked or len(undone))),
        pairs,
        defaults,
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_only_what_chance_rarely_does_is_proved(count: int) -> None:
    """SciPy's exact test is the oracle: 5 against 1 of 5 has p = .024, 5 against 2 has .083;
    two seeds have 1/6 at best.
    """
    for undone, sham in product(range(count + 1), repeat=2):
        p = fisher_exact(
            [[undone, count - undone], [sham, count - sham]], alternative="greater"
        ).pvalue
        assert (verdict_reason(undone, sham, count) == "") == (
            p <= 0.05 + 1e-9 and undone >= 0.8 * count
        ), (undone, sham)


@pytest.mark.parametrize(
    ("undone", "shams", "sentence"),
    [
        (
            [WELL] * 5,
            [FAILED] * 5,
            "proved: 5 of 5 seeds learn with init = he_normal, 0 of 5 with the sham",
        ),
        (
            [WELL] * 4 + [DIVERGED],
            [FAILED] * 5,
            "proved: 4 of 5 seeds learn with init = he_normal, 0 of 5 with the sham",
        ),
        (
            [WELL] * 5,
            [WELL] * 4 + [FAILED],
            "other weights and another order of samples cure it too",
        ),
        (
            [FAILED] * 5,
            [FAILED] * 5,
            (
                "not proved: 0 of 5 seeds learn with init = he_normal, 0 of 5 with the sham; "
                "undoing it alone does not cure"
            ),
        ),
        ([WELL] * 3 + [FAILED] * 2, [FAILED] * 5, "undoing it alone does not cure"),
        (
            [WELL] * 2 + [FAILED] * 3,
            [WELL] + [FAILED] * 4,
            "chance decides, and something else stands behind it",
        ),
        ([FAILED] * 4 + [WELL], [FAILED] * 5, "not proved: 1 of 5 seeds learns with"),
        ([WELL] * 7 + [FAILED] * 3, [FAILED] * 10, "undoing it alone helps in some seeds only"),
        ([WELL] * 2, [FAILED] * 2, "too few seeds to tell"),
        (
            [PARTLY] * 5,
            [FAILED] * 5,
            (
                "another cause stands behind or beside it (but it helps: 5 of 5 learn something, "
                "0 of 5 with the sham)"
            ),
        ),
    ],
)
def test_a_proof_says_what_came_of_it(
    undone: list[Trial], shams: list[Trial], sentence: str
) -> None:
    proof = proof_of(undone, shams)
    assert sentence in proof.sentence
    assert proof.sentence.startswith("proved") == (proof.verdict == "proved")


def test_an_unfinished_proof_proves_nothing_and_says_how_far_it_came() -> None:
    proof = proof_of([WELL] * 3, [FAILED] * 3, asked=5)
    assert (proof.verdict, proof.sentence.partition(";")[2]) == (
        "unfinished",
        " 3 of 5 seeds have ended",
    )


def test_where_nobody_learns_well_near_the_best_is_learned() -> None:
    """R² .4 where plain defaults have .42 is all there is; where they have .9 it is not."""
    for skill, verdict in ((0.42, "proved"), (0.9, "not proved")):
        assert (
            proof_of(
                [PARTLY] * 5, [FAILED] * 5, defaults=(Trial("learned in part", skill, 50.0),) * 3
            ).verdict
            == verdict
        )
    lossy = Trial("learned in part", 0.4, 60.0, flawed=True)  # its loss ended above its start
    assert proof_of([lossy] * 5, [FAILED] * 5, defaults=(PARTLY,) * 3).verdict == "not proved"


def test_what_is_reachable_is_the_best_median() -> None:
    skills = [(0.1, 0.2, 0.9), (0.5, 0.3, 0.4), (-math.inf, 1.0, -math.inf)]
    assert reachable_skill([[Trial("", skill, 0.0) for skill in group] for group in skills]) == 0.4
    assert math.isnan(reachable_skill([[]]))


def differences(one: RunConfig, other: RunConfig) -> dict[str, object]:
    """What the second has otherwise, by table.key."""
    a, b = to_mapping(one, whole=True), to_mapping(other, whole=True)
    return {
        f"{table}.{key}": value
        for table, keys in b.items()
        for key, value in keys.items()
        if a[table][key] != value
    }


def test_the_cause_alone_is_undone_and_the_sham_touches_no_key_but_the_seed() -> None:
    experiment = ProofExperiment(ZEROS, Cause("W001", "", {"model.init": "auto"}), (3, 4), SETS)
    planned = {
        (run.coordinates["arm"], run.coordinates["seed"]): differences(ZEROS, run.config)
        for run in experiment.plan({})
    }
    assert planned["undone", 3] == {"model.init": "auto", "training.seed": 3}
    assert [list(planned["sham", seed]) for seed in (3, 4)] == [["training.seed"]] * 2
    seeds = [values["training.seed"] for values in planned.values()]
    assert len(set(seeds)) == len(seeds) == 4  # no fate is drawn twice


@pytest.mark.parametrize(
    ("patch", "restarts"),
    [
        ({"model.init": "auto"}, 1),
        ({"model.layers": "6"}, 1),  # less work than the run's own
        ({"training.epochs": "120"}, 3),
        ({"training.epochs": "4000"}, 4),  # a hundred times: as much as is done at most
        # weights: 2·24 + 24·5 + 5·3 and biases 24 + 5 + 3 = 215, over 2·6 + 6·5 + 5·3 + 14 = 71:
        #     3.03
        ({"model.layers": "24,5"}, 3),
    ],
)
def test_a_sham_is_given_as_much_work_as_the_cure(patch: Mapping[str, str], restarts: int) -> None:
    experiment = ProofExperiment(ZEROS, Cause("", "", patch), (0,), SETS)
    assert [run.coordinates["arm"] for run in experiment.plan({})] == [
        "undone",
        *["sham"] * restarts,
    ]


def test_a_sham_of_several_restarts_learns_where_one_of_them_does() -> None:
    proof = Proof(Cause("", "", {}), "", (0,), {0: (WELL, (FAILED, WELL, FAILED))})
    assert (proof.sham, proof.restarts) == (1, 3)


def test_plain_defaults_keep_the_data_and_nothing_else() -> None:
    config = with_values(
        ZEROS,
        {
            "data.scaling": "none",
            "data.label_noise": "0.1",
            "training.lr": "7",
            "model.norm": "batch",
            "training.seed": "3",
        },
    )
    found = differences(RunConfig(), plain_defaults(config))
    assert found == {
        "data.data": NET.data.data,
        "data.data_seed": 0,
        "data.label_noise": 0.1,
        "training.seed": 3,
    }


@pytest.mark.parametrize(
    ("config", "patch", "verdict", "words"),
    [
        # equal weights stay equal, so that all hidden units are one (LeCun et al. 1998); drawn ones
        # learn three blobs
        (EQUAL, {"model.init": "auto"}, "proved", "with init = he_normal, 0 of 3"),
        # a healthy net learns whatever is done to it
        (HEALTHY, {"training.batch_size": "16"}, "not proved", "cure it too"),
        # a rate of 1e-9 moves nothing in 160 steps, normalized or not
        (
            with_values(HEALTHY, {"training.lr": "1e-9"}),
            {"model.norm": "batch"},
            "not proved",
            "0 of 3 seeds learn with norm = batch, 0 of 3",
        ),
        (EQUAL, {"model.init": "auto"}, "not proved", "too few seeds"),
    ],
)
def test_real_nets_of_every_outcome(
    config: RunConfig, patch: dict[str, str], verdict: str, words: str
) -> None:
    proof = prove(config, patch, 1 if words == "too few seeds" else 3, sets=SETS)
    assert proof is not None
    assert (proof.verdict, words in proof.sentence) == (verdict, True), proof.sentence


def test_targets_that_nobody_learns_well_are_compared_with_plain_defaults() -> None:
    """The diabetes data have R² of about .4 (Efron et al. 2004); targets of 150 ± 77 under a
    rate of .01 diverge.
    """
    config = from_options(
        None,
        {
            "data": "diabetes",
            "target_scaling": "none",
            "layers": "16,16",
            "optimizer": "sgd",
            "lr": "0.01",
            "data_seed": "0",
        },
    )
    proof = prove(config, {"data.target_scaling": "auto"}, 3, means=Means(threads=2))
    assert proof is not None
    assert len(proof.defaults) == 3
    assert proof.verdict == "proved", proof.sentence
    assert 0.2 < proof.reachable < 0.6


def test_a_caller_may_say_itself_what_learned_means() -> None:
    def never(run: Run) -> Trial:
        return FAILED

    proof = prove(HEALTHY, {"training.batch_size": "16"}, 1, sets=SETS, measure=never)
    assert proof is not None
    assert (proof.undone, proof.sham) == (0, 0)


def test_a_stop_leaves_whole_pairs_and_before_the_first_there_is_no_proof() -> None:
    stop = Stop()

    def stop_after(done: int, of: int) -> None:
        if done == 2:
            stop.ask()

    proof = prove(
        ZEROS, {"model.init": "auto"}, sets=SETS, means=Means(stop=stop, progress=stop_after)
    )
    assert proof is not None
    assert (len(proof.pairs), len(proof.seeds), proof.verdict) == (1, 5, "unfinished")
    assert prove(ZEROS, {"model.init": "auto"}, sets=SETS, means=Means(stop=stop)) is None


def test_the_seed_and_every_value_make_another_key() -> None:
    configs = [
        ZEROS,
        NET,
        with_values(NET, {"training.seed": "1"}),
        with_values(NET, {"model.layers": "6,6"}),
    ]
    assert len({key_of(config) for config in configs}) == 4
    assert key_of(with_values(NET, {"training.threads": "2"})) == key_of(
        NET
    )  # threads change no number


def test_a_change_is_told_by_what_it_changes() -> None:
    assert (
        change_text(ZEROS, {"model.init": "auto", "model.bias_init": "auto", "model.layers": "6,5"})
        == "init = he_normal"
    )
    assert (
        change_text(NET, {"training.optimizer": "sgd", "training.lr": "auto"}) == "optimizer = sgd"
    )
    assert (
        change_text(with_values(NET, {"training.lr": "9"}), {"training.lr": "auto"}) == "lr = 0.001"
    )


def test_what_a_run_came_to_needs_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    from rule_runs import FAILED as AT_CHANCE
    from rule_runs import made

    monkeypatch.setattr("dlprobe.experiments.trials.Criteria", None)
    learned, failed, diverged = (
        trial_of(made(data={"val_class_counts": [20] * 10})),
        trial_of(made(evaluations=AT_CHANCE)),
        trial_of(made(status="diverged")),
    )
    assert [each.state for each in (learned, failed, diverged)] == [
        "learned well",
        "did not learn",
        "diverged",
    ]
    assert learned.skill == pytest.approx(
        1 - 0.03 / 0.9
    )  # val_error .03; ten equal classes leave .9 to chance
    assert diverged.skill == -math.inf
