"""The trials that lie beside a run, in RUN.proof.json: what is to be believed of them, and
keeping more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.file_kinds import PROOF
from dlprobe.commands.base.writing import claim, write_text
from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen
    from dlprobe.config import RunConfig
    from dlprobe.experiments.proof_file import KeptTrial, ProofFile
    from dlprobe.runs import Run
    from dlprobe.training.prepared_sets import PreparedSets


def kept_file(path: Path, run: Run, screen: Screen) -> ProofFile | None:
    """What lies beside a run, if it is to be believed; else why not is said."""
    from dlprobe.experiments.proof_file import believed, proof_path

    kept, distrust = believed(proof_path(path), run.content_sha256)
    if distrust:
        screen.warn(distrust)
    return kept


def refuse_changed_data(
    path: Path, config: RunConfig, fingerprint: str, sets: PreparedSets
) -> None:
    """Raise ConfigError where a run was trained on other data than there are now."""
    data = sets.of(config)
    if data.fingerprint != fingerprint:
        raise ConfigError(
            f"{data.name} has changed since {path} was trained, so nothing that is trained "
            "now says why: bring the old data back, or train again"
        )


def keep_more(
    path: Path,
    content_sha256: str,
    kept: ProofFile | None,
    trials: Mapping[str, KeptTrial],
    screen: Screen,
) -> Path | None:
    """Keep trials beside a run, with those and the proof that are there; None, and a warning,
    where that cannot be.
    """
    from dlprobe.experiments.proof_file import ProofFile, proof_path

    file = ProofFile(content_sha256) if kept is None else kept
    try:
        target = claim(proof_path(path), PROOF, force=True)
        write_text(target, replace(file, trials={**trials, **file.trials}).text())
    except ConfigError as error:
        screen.warn(f"what was trained is not kept: {error}")
        return None
    return target.path
