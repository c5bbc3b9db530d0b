"""`check --prove`: train the net with the cause undone and with a sham, keep what came of it
beside the run, and show what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlprobe.commands.base.executing import Execution
from dlprobe.commands.base.file_kinds import PROOF
from dlprobe.commands.base.kept_trials import kept_file, refuse_changed_data
from dlprobe.commands.base.named_files import tell_of_named_files
from dlprobe.commands.base.study_driver import training
from dlprobe.commands.base.writing import Target, claim, inputs_of, write_text
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError, RunFileError

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen
    from dlprobe.commands.base.writing import Input
    from dlprobe.config import RunConfig
    from dlprobe.experiments.proof import ProofExperiment
    from dlprobe.experiments.proof_file import ProofFile
    from dlprobe.experiments.proof_record import Cause, Proof
    from dlprobe.experiments.study import StudyResult
    from dlprobe.experiments.trials import Trial
    from dlprobe.rules import Diagnosis
    from dlprobe.rules.files import JudgedRun

UNPROVABLE = {  # states of runs whose cause cannot be proved, and why
    "before training": "it has not been trained",
    "learned well": "it learned well",
    "interrupted": "it was stopped before its end (dlprobe train --resume goes on)",
    "too short to tell": "it is too short to tell whether it learned",
    "not evaluated": "it does not tell whether it learned",
}


@dataclass
class Proofs:
    """Proofs by the path of their run. interrupted: what to say of one that was stopped."""

    by_path: dict[str, Proof] = field(default_factory=dict)
    interrupted: str = ""


def claimed(files: Sequence[Path], inputs: Sequence[Input]) -> dict[str, Target]:
    """The proof files that are going to be written, by the path of their run. Raises
    ConfigError, before anything is trained, where one must not be.
    """
    from dlprobe.commands.base.study_driver import is_study
    from dlprobe.experiments.proof_file import proof_path

    targets = {}
    for file_ in files:
        if _readable_study(file_, is_study):
            raise ConfigError(
                f"{file_} is a study: --prove trains the net of a single run again; give a "
                "file that dlprobe train wrote"
            )
        targets[str(file_)] = claim(
            proof_path(file_), PROOF, inputs, force=True, option="another name of the run"
        )
    return targets


def _readable_study(path: Path, is_study: Any) -> bool:
    try:
        return bool(is_study(path))
    except RunFileError:
        return False  # it is said when it is judged


def kept_proofs(judged: Sequence[JudgedRun], screen: Screen) -> Proofs:
    """The proofs that earlier checks made, where they are to be believed."""
    from dlprobe.experiments.proof_file import proof_path
    from dlprobe.runs import open_single
    from dlprobe.runs.reading import reading

    proofs = Proofs()
    for judgement in judged:
        path = Path(judgement.path)
        if (
            judgement.unreadable
            or judgement.group
            or judgement.start is not None
            or "#" in judgement.path
            or not proof_path(path).is_file()
        ):
            continue
        with reading(path), open_single(path) as run:
            kept = kept_file(path, run, screen)
        if kept is not None and (proof := kept.proof()) is not None:
            proofs.by_path[judgement.path] = proof
    return proofs


def proved(
    judged: Sequence[JudgedRun], targets: Mapping[str, Target], seeds: int | None, screen: Screen
) -> Proofs:
    """Prove the cause of every run that has one; a stop ends it and keeps what had been trained."""
    proofs = Proofs()
    for judgement in judged:
        if judgement.unreadable or judgement.path not in targets or proofs.interrupted:
            continue
        proof, proofs.interrupted = _proved(judgement, targets[judgement.path], seeds, screen)
        if proof is not None:
            proofs.by_path[judgement.path] = proof
    return proofs


def _proved(
    judged: JudgedRun, target: Target, seeds: int | None, screen: Screen
) -> tuple[Proof | None, str]:
    from dlprobe.experiments.proof import known_trials
    from dlprobe.experiments.proof_file import ProofFile
    from dlprobe.rules import diagnose
    from dlprobe.runs import open_single
    from dlprobe.runs.reading import reading

    path = Path(judged.path)
    with reading(path), open_single(path) as run:
        config, hash = run.required_configuration(), run.content_sha256
        causes, missing = causes_of(
            judged.diagnosis or diagnose(run, judged.judgement, judged.path)
        )
        fingerprint, kept = str(run.data.get("fingerprint", "")), kept_file(path, run, screen)
    if not causes:
        screen.announce(f"{path}: nothing to prove: {missing}")
        return None, ""
    tell_of_named_files(path, [config], screen)
    claim(target.path, PROOF, inputs_of(config), force=True)
    trials = (
        {
            key: trial if trial.arm == "sham" else replace(trial, arm="change")
            for key, trial in kept.trials.items()
        }
        if kept is not None
        else {}
    )
    file = ProofFile(hash, trials)
    for number, cause in enumerate(causes, 1):
        experiment = _experiment(path, config, cause, seeds, fingerprint)
        ended = _trained(
            experiment,
            known_trials(experiment.plan({}), file.trials),
            screen,
            f" ({number} of up to {len(causes)})" if len(causes) > 1 else "",
        )
        file = _with_step(file, experiment, ended.results)
        if ended.results:
            write_text(target, file.text())
        proof = (
            file.proof() if experiment.conclude(ended.results, ended.complete) is not None else None
        )
        if not ended.complete:
            count = (
                f"{len(ended.results)} of {len(experiment.plan(ended.results))} trainings of the "
                f"proof of {path} had ended"
            )
            return (
                proof,
                (
                    ": "
                    f"{count}{f'; {target.path} keeps them, and the same command goes on' if ended.results else ''}"  # noqa: E501
                ),
            )
        if proof is not None and proof.verdict == "proved":
            break
    return proof, ""


def _with_step(
    file: ProofFile, experiment: ProofExperiment, results: Mapping[str, Trial]
) -> ProofFile:
    """The file with what a step trained; the step that it ended with before is an earlier one
    now.
    """
    from dlprobe.experiments.proof import kept_trials
    from dlprobe.experiments.proof_file import Step

    before, earlier = dict(file.trials), file.earlier
    if file.cause is not None:
        at = len(earlier)
        before = {
            key: replace(trial, arm="earlier", restart=at) if trial.arm == "undone" else trial
            for key, trial in before.items()
            if trial.arm != "defaults"
        }
        earlier = (*earlier, Step(file.cause, file.change, file.restarts))
    trials = {**before, **kept_trials(experiment.plan(results), results)}
    return replace(
        file,
        trials=trials,
        cause=experiment.cause,
        change=experiment.change,
        seeds=tuple(experiment.seeds),
        restarts=experiment.restarts,
        earlier=earlier,
    )


def _experiment(
    path: Path, config: RunConfig, cause: Cause, seeds: int | None, fingerprint: str
) -> ProofExperiment:
    """Raises ConfigError where the data are not those of the run."""
    from dlprobe.experiments.proof import SEEDS, ProofExperiment
    from dlprobe.experiments.trials import judged_trial_of

    experiment = ProofExperiment.of(config, cause, seeds or SEEDS, measure=judged_trial_of)
    refuse_changed_data(path, experiment.config, fingerprint, experiment.sets)
    return experiment


def causes_of(diagnosis: Diagnosis) -> tuple[list[Cause], str]:
    """What to undo, step by step; or why there is nothing to prove."""
    from dlprobe.experiments.proof import causes_to_prove

    if reason := UNPROVABLE.get(diagnosis.state.name):
        return [], reason
    cause = diagnosis.cause
    if cause is None:
        return [], f"it {diagnosis.state.name}, and no finding names a cause"
    return causes_to_prove(
        diagnosis
    ), f"{cause.name} ({cause.code}) names no change that would undo it alone"


def _trained(
    experiment: ProofExperiment, finished: Mapping[str, Trial], screen: Screen, step: str
) -> StudyResult[Trial]:
    count = sum(planned.id not in finished for planned in experiment.plan({}))
    execution = Execution()
    if count:
        screen.note(
            f"proving {experiment.cause.sentence}{step}: {count} trainings like this one, "
            f"{min(execution.threads, count)} side by side"
        )
    with training(experiment.doing, experiment.unit, execution, screen) as means:
        return experiment.train(means, finished)
