"""`RUN.proof.json`: the proof of a run's cause and all trials made of it, kept beside the run under
its content hash.

The counts are made anew from the trials whenever the file is read, so that no sentence in it has to
be believed. A file of another content hash or another dlprobe is stale: it is not used, and the
next proof replaces it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, TypeVar

from dlprobe.config.toml_text import read_start
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.experiments.proof_record import Cause, Proof
from dlprobe.experiments.trials import Trial
from dlprobe.rules import Finding, Remedy
from dlprobe.rules.outcome import SEVERITIES, finite
from dlprobe.version import version

SCHEMA = "dlprobe-proof/1"
LARGEST_FILE = 16_000_000  # bytes
T = TypeVar("T")


@dataclass(frozen=True)
class KeptTrial:
    """A trial and where it belongs. arm: undone, sham, defaults, earlier for one of an earlier step
    of the proof, or change for one of `prescribe`; seed: of the pair; restart: which one of the
    sham, or which earlier step.
    """

    arm: str
    seed: int
    restart: int
    trial: Trial


@dataclass(frozen=True)
class Step:
    """A change that was tried before the one that the proof ends with. restarts: of each of its
    shams.
    """

    cause: Cause
    change: str
    restarts: int


@dataclass(frozen=True)
class ProofFile:
    """What the file says. content_sha256: of the run; dlprobe: the version that wrote it; trials:
    by `key_of` their configuration.

    cause, change, seeds: of the proof, None and empty where only trials are kept. restarts: of each
        of its shams, 0 for all that are there; earlier: steps before it, which did not prove their
        cause.
    """

    content_sha256: str
    trials: Mapping[str, KeptTrial] = field(default_factory=dict)
    cause: Cause | None = None
    change: str = ""
    seeds: tuple[int, ...] = ()
    dlprobe: str = field(default_factory=version)
    restarts: int = 0
    earlier: tuple[Step, ...] = ()

    def proof(self) -> Proof | None:
        """The proof that the trials make; None where there is none."""
        if self.cause is None:
            return None
        earlier = tuple(
            filter(
                None, (self._of_step(step, "earlier", at) for at, step in enumerate(self.earlier))
            )
        )
        undone = self._of_step(Step(self.cause, self.change, self.restarts), "undone", 0)
        if undone is None:
            return None
        return replace(
            undone,
            defaults=tuple(
                trial.trial for trial in self.trials.values() if trial.arm == "defaults"
            ),
            earlier=earlier,
        )

    def _of_step(self, step: Step, arm: str, restart: int) -> Proof | None:
        """One step with its shams; None where no seed has ended in both arms."""
        pairs = {}
        for seed in self.seeds:
            of_seed = [kept for kept in self.trials.values() if kept.seed == seed]
            undone = [kept.trial for kept in of_seed if kept.arm == arm and kept.restart == restart]
            shams = sorted(
                (kept for kept in of_seed if kept.arm == "sham"), key=lambda kept: kept.restart
            )
            if undone and shams:
                pairs[seed] = (
                    undone[0],
                    tuple(kept.trial for kept in shams[: step.restarts or None]),
                )
        return Proof(step.cause, step.change, self.seeds, pairs) if pairs else None

    def text(self) -> str:
        """The content of the file."""
        return json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The file as data: the proof in words and counts, and all trials."""
        proof = self.proof()
        trials = [_trial_data(key, kept) for key, kept in self.trials.items()]
        head = {"schema": SCHEMA, "dlprobe": self.dlprobe, "content_sha256": self.content_sha256}
        return {**head, "proof": None if proof is None else proof.to_json(), "trials": trials}


def proof_path(run: Path) -> Path:
    """Where the proof of a run file lies.

    >>> proof_path(Path("runs/mine.h5")).as_posix()
    'runs/mine.proof.json'
    """
    return run.with_name(f"{run.name.removesuffix('.journal').removesuffix('.h5')}.proof.json")


def believed(path: Path, content_sha256: str) -> tuple[ProofFile | None, str]:
    """The proof file of a run, or why it is not believed; neither where there is none."""
    try:
        kept = read_proof_file(path)
    except FileNotFoundError:
        return None, ""
    except RunFileError as error:
        return None, str(error)
    if kept.content_sha256 != content_sha256:
        return None, f"{path} is of a run with another content, so it is not used"
    if kept.dlprobe != version():
        return (
            None,
            f"{path} was made by dlprobe {kept.dlprobe}, this is {version()}, so it is not used",
        )
    return kept, ""


def read_proof_file(path: Path) -> ProofFile:
    """What a proof file says. Raises FileNotFoundError, and RunFileError for what is no proof
    file or damaged.
    """
    try:
        content = read_start(path, LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunFileError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        if len(content) > LARGEST_FILE:
            raise ValueError
        return _file_of(json.loads(content))
    except (ValueError, OverflowError, RecursionError):
        raise RunFileError(
            f"{path} is no proof that dlprobe wrote, or it is damaged, so it is not used"
        ) from None


def _file_of(data: Any) -> ProofFile:
    """Raises ValueError for anything else than what `to_json` makes."""
    if _of(data, dict).get("schema") != SCHEMA:
        raise ValueError
    trials = dict(_kept(_of(entry, dict)) for entry in _of(data.get("trials"), list))
    head = (_of(data.get("content_sha256"), str), trials)
    proof, made_by = data.get("proof"), _of(data.get("dlprobe"), str)
    if proof is None:
        return ProofFile(*head, dlprobe=made_by)
    last = _step(_of(proof, dict))
    seeds = tuple(_of(entry, int) for entry in _of(proof.get("seeds"), list))
    earlier = tuple(_step(_of(entry, dict)) for entry in _of(proof.get("earlier", []), list))
    return ProofFile(*head, last.cause, last.change, seeds, made_by, last.restarts, earlier)


def _step(proof: Mapping[str, Any]) -> Step:
    cause = _of(proof.get("cause"), dict)
    code, name, why = (_of(cause.get(key), str) for key in ("code", "name", "why"))
    beside = [_of(entry, dict) for entry in _of(cause.get("beside", []), list)]
    others = tuple((_of(fault.get("code"), str), _of(fault.get("name"), str)) for fault in beside)
    return Step(
        Cause(code, name, _texts(cause.get("patch")), why, others),
        _of(proof.get("change"), str),
        _of(proof.get("restarts"), int),
    )


def _kept(data: Mapping[str, Any]) -> tuple[str, KeptTrial]:
    numbers = [
        _number(data.get(name), empty)
        for name, empty in (("skill", -math.inf), ("metric", math.inf))
    ]
    findings = data.get("findings")
    told = (
        None
        if findings is None
        else tuple(_finding(_of(entry, dict)) for entry in _of(findings, list))
    )
    trial = Trial(
        _of(data.get("state"), str), numbers[0], numbers[1], _of(data.get("flawed"), bool), told
    )
    return _of(data.get("key"), str), KeptTrial(
        _of(data.get("arm"), str), _of(data.get("seed"), int), _of(data.get("restart"), int), trial
    )


def _finding(data: Mapping[str, Any]) -> Finding:
    code, name, evidence = (_of(data.get(key), str) for key in ("code", "name", "evidence"))
    severity = next((severity for severity in SEVERITIES if severity == data.get("severity")), None)
    remedies = tuple(
        Remedy(_texts(_of(entry, dict).get("patch")), _of(entry.get("why"), str))
        for entry in _of(data.get("remedies"), list)
    )
    layers = tuple(_of(entry, str) for entry in _of(data.get("layers"), list))
    steps = tuple(_of(entry, int) for entry in _of(data.get("steps"), list))
    measured, threshold = (_number(data.get(key), math.nan) for key in ("measured", "threshold"))
    return Finding(
        measured, threshold, evidence, layers, steps, remedies, code, name, severity or ""
    )


def _trial_data(key: str, kept: KeptTrial) -> dict[str, Any]:
    trial = kept.trial
    place = {
        "key": key,
        "arm": kept.arm,
        "seed": kept.seed,
        "restart": kept.restart,
        "state": trial.state,
    }
    numbers = {
        "skill": finite(trial.skill),
        "metric": finite(trial.metric),
        "flawed": trial.flawed,
    }
    return {
        **place,
        **numbers,
        "findings": None
        if trial.findings is None
        else [finding.to_json() for finding in trial.findings],
    }


def _number(value: Any, empty: float) -> float:
    if value is None:
        return empty
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return _of(value, float)


def _texts(value: Any) -> dict[str, str]:
    return {_of(key, str): _of(entry, str) for key, entry in _of(value, dict).items()}


def _of(value: Any, kind: type[T]) -> T:
    """The value, which must be of this type. Raises ValueError."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError
    return value
