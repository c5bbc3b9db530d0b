"""Proof: is what a finding names the cause? The net is trained with only that undone, and with a
sham as control.

**Undone.** The run's own net, data and seeds, with the patch of the cause's first remedy and
nothing else changed: its own seed first, then the next ones.

**Sham.** A control has to be as much of a change as the cure in everything but the cause. What a
cure does besides undoing the cause is to draw another fate (other numbers go another way, which
alone rescues nets that fail by bad luck) and sometimes to do more work (a wider net, more epochs).
So the sham is the run's own configuration from other weights and in another order of samples, at
equal
work: where the change makes training r times as long in multiply-adds, each sham gets r restarts
(rounded, at most MOST_RESTARTS), and it learns where any of them does. No key of the configuration
is touched, so that the cause certainly stays, whichever it is; any placebo key might touch it.

**Verdict.** Proved where the net learns with the cause undone in at least CURED_SHARE of the seeds,
and so much more often than with the sham that chance does that in 1 of 20 cases at most (Fisher's
exact test, one-sided): 5 of 5 against 1 of 5 at most, 3 of 3 against none; two seeds prove nothing.
*Learn* is the outcome of a run, measured without any rule (`trials`).

**Several causes.** Where causes stand beside each other, the top one is undone alone first, then
with the next one, until that is proved: `causes_to_prove` says the steps. Each step has its own
sham, and is said, so that a reader sees how often it was tried.

Sources: random restarts as the control of equal cost: Hutter, Hoos & Leyton-Brown 2013, LION
    (algorithm configuration); Fisher 1935, The design of experiments, chapter 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from dlprobe.config import RunConfig, with_values
from dlprobe.config.table import LARGEST_SEED
from dlprobe.dataclass import dataclass
from dlprobe.experiments.changes import change_text, key_of, plain_defaults, work_ratio
from dlprobe.experiments.experiment import PlannedExperiment
from dlprobe.experiments.proof_file import KeptTrial
from dlprobe.experiments.proof_record import CURED_SHARE, Cause, Proof
from dlprobe.experiments.study import PlannedRun
from dlprobe.experiments.trials import LEARNED, Measure, Trial, trial_of
from dlprobe.rules.diagnosis import Diagnosis, joined
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets

SEEDS = 5
MOST_RESTARTS = 4  # of one sham, whatever the cure costs
APART = 1_000_000  # between the seeds of the cure and those of the shams
SEEDED = {"training.seed", "data.data_seed"}  # another start is what the sham is
REFERENCES = 3  # seeds of the plain defaults, where nobody knows what can be reached


@dataclass(frozen=True)
class ProofExperiment(PlannedExperiment[Trial, Proof]):
    """Both arms over some seeds; where neither learns well and one learns in part, also plain
    defaults, which say what can be reached.

    config: the ill run's, its data seed given. measure: what a run came to, by default asking no
        rule.
    referenced: whether plain defaults may be trained to see what can be reached. Raises
        ConfigError, when it is planned, for a patch that the configuration does not take, and
        DataError for data that cannot be read.
    """

    name = "check"
    doing = "proving"
    longest_first = False  # so that a break leaves whole pairs

    config: RunConfig
    cause: Cause
    seeds: Sequence[int]
    sets: PreparedSets
    measure: Measure = trial_of
    referenced: bool = True

    @classmethod
    def of(
        cls,
        config: RunConfig,
        cause: Cause,
        seeds: int = SEEDS,
        *,
        sets: PreparedSets | None = None,
        measure: Measure = trial_of,
    ) -> ProofExperiment:
        """The proof of what ails a configuration, from its own seed upwards, on the very data that
        it trains on. `run(Means())` trains and concludes.

        sets: data that are prepared already.
        """
        pinned = with_values(config, {"data.data_seed": config.resolved_data_seed})
        first = config.training.seed
        return cls(pinned, cause, range(first, first + seeds), sets or PreparedSets(), measure)

    @property
    def change(self) -> str:
        """The patch of the cause as a text."""
        return change_text(self.config, self.cause.patch)

    @cached_property
    def _undone(self) -> RunConfig:
        return with_values(self.config, self.cause.patch)

    @cached_property
    def restarts(self) -> int:
        """Number of restarts of each sham: multiply-adds of the changed net over those of the run's
        own, rounded, 1 to MOST_RESTARTS.
        """
        return min(max(round(work_ratio(self._undone, self.config, self.sets)), 1), MOST_RESTARTS)

    def plan(self, results: Mapping[str, Trial]) -> list[PlannedRun]:
        """Pair after pair, then the reference."""
        planned = [
            run
            for seed in self.seeds
            for run in (self._planned_undone(seed), *self._planned_shams(seed))
        ]
        if not all(run_planned.id in results for run_planned in planned) or not self._open(results):
            return planned
        return [
            *planned,
            *(
                self._planned("defaults", plain_defaults(self.config), seed)
                for seed in self.seeds[:REFERENCES]
            ),
        ]

    def _open(self, results: Mapping[str, Trial]) -> bool:
        """Whether the arms leave open what can be reached: too few of the undone learned well,
        and most learned something.
        """
        undone = [results[self._planned_undone(seed).id] for seed in self.seeds]
        well = sum(trial.state == LEARNED for trial in undone)
        partly = sum(trial.state in (LEARNED, "learned in part") for trial in undone)
        return self.referenced and well < CURED_SHARE * len(undone) <= partly

    def _planned_undone(self, seed: int) -> PlannedRun:
        return self._planned("undone", self._undone, seed)

    def _planned_shams(self, seed: int) -> list[PlannedRun]:
        return [
            self._planned("sham", self.config, seed, restart) for restart in range(self.restarts)
        ]

    @staticmethod
    def _planned(arm: str, config: RunConfig, seed: int, restart: int = 0) -> PlannedRun:
        drawn = (seed + APART * (restart + 1)) % LARGEST_SEED if arm == "sham" else seed
        return PlannedRun(
            f"{arm}-seed{seed}-{restart}",
            with_values(config, {"training.seed": drawn}),
            {"arm": arm, "seed": seed, "restart": restart},
        )

    def read(self, planned: PlannedRun, run: Run) -> Trial:
        """The trial that `measure` makes of a run."""
        return self.measure(run)

    def conclude(self, results: Mapping[str, Trial], complete: bool) -> Proof | None:
        """The proof from the trials; None where no seed has ended in both arms."""
        pairs: dict[int, tuple[Trial, tuple[Trial, ...]]] = {}
        for seed in self.seeds:
            undone = self._planned_undone(seed).id
            shams = [sham.id for sham in self._planned_shams(seed)]
            if all(id in results for id in (undone, *shams)):
                pairs[seed] = (results[undone], tuple(results[id] for id in shams))
        defaults = tuple(trial for id, trial in results.items() if id.startswith("defaults-"))
        return Proof(self.cause, self.change, tuple(self.seeds), pairs, defaults) if pairs else None


def causes_to_prove(diagnosis: Diagnosis) -> list[Cause]:
    """What to undo, step by step: the top cause alone, then with the next of those that stand
    beside it, up to all; nothing where no change undoes it.
    """
    top = diagnosis.cause
    remedy = (
        next(
            (
                remedy
                for remedy in top.remedies
                if remedy.patch and not remedy.patch.keys() <= SEEDED
            ),
            None,
        )
        if top is not None
        else None
    )
    if top is None or remedy is None:
        return []
    steps = [Cause(top.code, top.name, remedy.patch, remedy.why)]
    for count in range(1, len(diagnosis.together) + 1):
        undone, all_at_once = diagnosis.together[:count], joined(diagnosis.together[:count])
        first, *beside = [(trial.code, trial.name) for trial in undone]
        if all_at_once.patch != steps[-1].patch:
            steps.append(Cause(*first, all_at_once.patch, all_at_once.why, tuple(beside)))
    return steps


def kept_trials(plan: Iterable[PlannedRun], results: Mapping[str, Trial]) -> dict[str, KeptTrial]:
    """The trials of a plan that were made, by configuration. A plan's coordinates say arm, seed
    and restart.
    """
    made: dict[str, KeptTrial] = {}
    for planned in plan:
        if planned.id in results:
            at = planned.coordinates
            made[key_of(planned.config)] = KeptTrial(
                str(at["arm"]), int(at["seed"]), int(at.get("restart", 0)), results[planned.id]
            )
    return made


def known_trials(plan: Iterable[PlannedRun], kept: Mapping[str, KeptTrial]) -> dict[str, Trial]:
    """Trials of a plan, by id, that need no training."""
    keys = {planned.id: key_of(planned.config) for planned in plan} if kept else {}
    return {id: kept[key].trial for id, key in keys.items() if key in kept}
