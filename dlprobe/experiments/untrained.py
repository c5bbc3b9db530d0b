"""One forward and one backward pass of a configuration at rate 0, from several initialization
seeds, on its own data; nothing is trained or written.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlprobe.config import RunConfig, with_values
from dlprobe.experiments.study import PlannedRun, run_one
from dlprobe.rules.causes import Place
from dlprobe.rules.diagnosis import Observed
from dlprobe.rules.files import Criteria, JudgedRun
from dlprobe.rules.judging import Judgement, Selection, Settings, judge
from dlprobe.rules.untrained import OF_DATA, START, Start, start_of, state_before, together
from dlprobe.runs import Run
from dlprobe.training.prepared_sets import PreparedSets
from dlprobe.training.stopping import Stop

SEEDS = 10
LOOK = {  # the one step that is looked at, and nothing that would move or end it
    "training.steps": 1,
    "training.lr": 0.0,
    "training.schedule": "constant",
    "training.warmup": 0,
    "training.early_stopping": "none",
    "recording.histogram_every": "never",
    "recording.evaluate_every": 1,
}


def first_steps(config: RunConfig, sets: PreparedSets, count: int = SEEDS) -> list[Run]:
    """The state before the first update, once per initialization seed from the configuration's own
    on, on one and the same data.

    Each has another first batch. Raises ConfigError for what is impossible, DataError for data that
    cannot be read.
    """
    first = config.training.seed
    fixed = {**LOOK, "data.data_seed": config.resolved_data_seed}
    planned = [
        PlannedRun(str(seed), with_values(config, {**fixed, "training.seed": seed}))
        for seed in range(first, first + count)
    ]
    return [
        run
        for run_planned in planned
        if (run := run_one(run_planned, sets, lambda _, run: run, Stop(), None)) is not None
    ]


def judged_configuration(
    path: str, config: RunConfig, criteria: Criteria, sets: PreparedSets
) -> JudgedRun:
    """A configuration judged before it is trained; `path` is its file. Raises ConfigError or
    DataError.
    """
    runs = first_steps(config, sets)
    start, judgement = judged_start(runs, criteria.selection, criteria.settings)
    judgement = criteria.graded(judgement)
    layers = tuple(str(name) for name in runs[0].layers.names)
    seen = Observed(state_before(start, judgement), Place(layers, 0), config)
    return JudgedRun(path, judgement, path, seen=seen, start=start)


def judged_start(
    runs: Sequence[Run], selection: Selection | None = None, settings: Settings | None = None
) -> tuple[Start, Judgement]:
    """What the first steps show, and what the rules say of most of them."""
    chosen = selection or Selection()
    waiting = [rule.code for rule in chosen.rules if rule.code not in START]
    able = Selection(chosen.select, (*chosen.ignore, *waiting))
    of_weights = Selection(able.select, (*able.ignore, *OF_DATA))
    return start_of(runs), together(
        [judge(run, of_weights if number else able, settings) for number, run in enumerate(runs)],
        waiting,
    )
