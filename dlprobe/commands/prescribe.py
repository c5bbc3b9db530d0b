"""Train what may cure a run, and say which change does.

Cheap and likely changes go first. Every change is trained over a few seeds on the same data, beside
the run as it is and plain defaults. A run that failed is cured where it learns in 4 of 5 seeds.
Where no change cures, the one that helped most is tried together with what its own findings name
and with the others. Of the cures the best is taken, and of those that the seeds do not tell apart
the cheapest. Its configuration is written as TOML: what is not as by default, and why. A proof that
`check --prove` left beside the run is used; after Ctrl-C the same command goes on.

Examples:
  dlprobe prescribe runs/digits-1.h5 --seeds 1 --tries 1 --force
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from dlprobe.commands.base.arguments import Force, option
from dlprobe.commands.base.completing import complete_runs
from dlprobe.commands.base.executing import Execution, workers_option
from dlprobe.commands.base.file_kinds import CONFIGURATION
from dlprobe.commands.base.kept_trials import keep_more, kept_file, refuse_changed_data
from dlprobe.commands.base.named_files import allow_file_option, tell_of_named_files
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import carry_out
from dlprobe.commands.base.writing import claim, inputs_of, read_as, write_text
from dlprobe.dataclass import dataclass
from dlprobe.errors import ExitCode
from dlprobe.registry import counted

if TYPE_CHECKING:
    from dlprobe.commands.base.writing import Target
    from dlprobe.config import RunConfig
    from dlprobe.experiments.prescription import Prescription, Tried
    from dlprobe.experiments.proof_file import ProofFile
    from dlprobe.experiments.treatments import Result
    from dlprobe.experiments.trials import Trial
    from dlprobe.rules import Diagnosis, Finding

LISTED = ("Fix and guard", 2)

RunFile = Annotated[
    Path, typer.Argument(metavar="RUN", help="run file, or STUDY#RUN", autocompletion=complete_runs)
]
Seeds = Annotated[
    int,
    option("--seeds N", "runs of each change, from --seed upwards [default: 3]", min=1, max=100),
]
Seed = Annotated[int | None, option("--seed N", "first seed [default: the run's own]", min=0)]
Tries = Annotated[
    int,
    option(
        "--tries N", "changes that are tried at most, and as many combinations [default: 8]", min=1
    ),
]
Workers = Annotated[int | None, workers_option()]
Output = Annotated[
    Path | None, option("-o --output FILE", "TOML file to write [default: RUN-cured.toml here]")
]


@allow_file_option
def command(
    run: RunFile,
    seeds: Seeds = 3,
    seed: Seed = None,
    tries: Tries = 8,
    workers: Workers = None,
    output: Output = None,
    force: Force = False,
    *,
    screen: Screen,
) -> ExitCode:
    """Judge, train, compare, write, show."""
    path = output or Path(f"{run.name.removesuffix('.journal').removesuffix('.h5')}-cured.toml")
    target = claim(path, CONFIGURATION, read_as("the run that is read", run), force=force)
    ill = _judged(run, screen)
    claim(path, CONFIGURATION, inputs_of(ill.config), force=force)
    from dlprobe.experiments.prescription import FAILED, Prescription, Proved
    from dlprobe.training.prepared_sets import PreparedSets

    sets = PreparedSets()
    first = ill.config.training.seed if seed is None else seed
    diagnosis, failed = ill.diagnosis, ill.diagnosis.state.name in FAILED
    proof = None if ill.kept is None else ill.kept.proof()
    proved = None if proof is None else Proved(proof.cause.patch, tuple(proof.pairs))
    prescription = Prescription(
        ill.config,
        ill.findings,
        range(first, first + seeds),
        tries,
        sets,
        diagnosis.cause,
        failed,
        proved,
        diagnosis.together,
    )
    refuse_changed_data(run, ill.config, ill.fingerprint, sets)
    finished, keep = _known(prescription, ill), partial(_keep, prescription, ill, screen)
    return carry_out(
        prescription,
        Execution(workers),
        screen,
        partial(_show, ill=ill, target=target),
        finished,
        keep,
    )


@dataclass(frozen=True)
class Ill:
    """The run that is to be cured. config: its data seed given; kept: the trials beside it."""

    path: Path
    config: RunConfig
    diagnosis: Diagnosis
    fingerprint: str
    content_sha256: str
    kept: ProofFile | None

    @property
    def findings(self) -> list[Finding]:
        """All of them, from the cause downstream."""
        diagnosis = self.diagnosis
        return [
            *([] if diagnosis.cause is None else [diagnosis.cause]),
            *diagnosis.symptoms,
            *diagnosis.others,
            *diagnosis.follows,
        ]


def _judged(path: Path, screen: Screen) -> Ill:
    from dlprobe.config import with_values
    from dlprobe.rules import diagnose, judge
    from dlprobe.rules.files import begun
    from dlprobe.runs import open_single
    from dlprobe.runs.reading import reading

    with reading(path), open_single(path) as run:
        diagnosis = diagnose(run, judge(begun(run, str(path))), str(path))
        config = run.required_configuration()
        tell_of_named_files(path, [config], screen)
        config = with_values(config, {"data.data_seed": config.resolved_data_seed})
        return Ill(
            path,
            config,
            diagnosis,
            str(run.data.get("fingerprint", "")),
            run.content_sha256,
            kept_file(path, run, screen),
        )


def _known(prescription: Prescription, ill: Ill) -> dict[str, Trial]:
    from dlprobe.experiments.proof import known_trials

    trials: dict[str, Trial] = {}
    while ill.kept is not None and len(
        known := known_trials(prescription.plan(trials), ill.kept.trials)
    ) > len(trials):
        trials = known
    return trials


def _keep(
    prescription: Prescription,
    ill: Ill,
    screen: Screen,
    results: Mapping[str, Trial],
    complete: bool,
) -> str:
    """Keep the trials where the experiment was stopped, so that it can go on; what to say of
    that.
    """
    from dlprobe.experiments.proof import kept_trials

    if complete or not results:
        return ""
    kept = keep_more(
        ill.path,
        ill.content_sha256,
        ill.kept,
        kept_trials(prescription.plan(results), results),
        screen,
    )
    return "" if kept is None else f"; {kept} keeps them, and the same command goes on"


def _show(
    prescription: Prescription,
    tried: Tried,
    execution: Execution,
    screen: Screen,
    *,
    ill: Ill,
    target: Target,
) -> None:
    """Write what cures, and show what was tried."""
    from dlprobe.reports.prescribe import prescribe_document

    chosen = tried.chosen
    if chosen is not None:
        _write(target, ill, tried, chosen)
    task = prescription.sets.of(ill.config).task
    proof = None if ill.kept is None else ill.kept.proof()
    written = str(target.path) if chosen is not None else ""
    plain = "" if tried.defaults is None else _command_of(tried.defaults.treatment.config)
    screen.show(
        prescribe_document(
            ill.diagnosis,
            prescription,
            tried,
            percent=task == "classification",
            written=written,
            plain=plain,
            proof=proof,
        )
    )


def _command_of(config: RunConfig) -> str:
    """What trains plain defaults, to be typed; what is recorded is left out."""
    from dlprobe.config import from_mapping, to_mapping
    from dlprobe.config.typed import train_with

    return train_with(from_mapping({**to_mapping(config), "recording": {}}), {})


def _write(target: Target, ill: Ill, tried: Tried, chosen: Result) -> None:
    from dlprobe.config import to_toml, with_values
    from dlprobe.experiments.changes import changed_values, value_text
    from dlprobe.render.safe_text import visible
    from dlprobe.reports.prescribe import head_of_cure, reasons_of

    # how many threads it had changes no number and is no part of a cure
    config = with_values(chosen.treatment.config, {"training.threads": "auto"})
    changed = [
        (key, value_text(ill.config, key))
        for key in changed_values(ill.config, chosen.treatment.config)
    ]
    so_far = (
        ""
        if tried.complete
        else f" as far as was tried ({len(tried.changes)} of {counted(tried.planned, 'change')})"
    )
    lines = [
        line
        for text in head_of_cure(str(ill.path), chosen, tried.results[0], so_far)
        for line in wrap(visible(text), 98)
    ]
    head = "".join(f"# {line}\n" for line in lines)
    write_text(target, f"{head}\n{to_toml(config, reasons_of(chosen, changed), brief=True)}")
