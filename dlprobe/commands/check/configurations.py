"""Configurations among what `check` is given: judged before they are trained, by the first step
of ten initialization seeds; nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.errors import ConfigError, DataError

if TYPE_CHECKING:
    from dlprobe.commands.base.screen import Screen
    from dlprobe.rules.files import Criteria, JudgedRun


def judged_configurations(
    paths: Sequence[Path], criteria: Criteria, screen: Screen
) -> Iterator[JudgedRun]:
    """Every configuration in order; one that cannot be read or is impossible comes as a run
    whose rules were not evaluated.
    """
    from dlprobe.commands.base.preparing import tell_of_compiling
    from dlprobe.rules.files import unjudged

    if paths:
        tell_of_compiling(screen)
    for path in paths:
        try:
            yield _judged(path, criteria, screen)
        except (ConfigError, DataError) as error:
            yield unjudged(str(path), _named(path, str(error)), criteria)


def _judged(path: Path, criteria: Criteria, screen: Screen) -> JudgedRun:
    from dlprobe.commands.base.configuration import read_configuration
    from dlprobe.commands.base.preparing import prepare_data
    from dlprobe.experiments.untrained import judged_configuration
    from dlprobe.training.prepared_sets import PreparedSets

    configuration = read_configuration(path, {}, screen)
    return judged_configuration(
        str(path),
        configuration,
        criteria,
        PreparedSets((configuration, prepare_data(configuration, screen))),
    )


def _named(path: Path, message: str) -> str:
    return message if message.startswith(str(path)) else f"{path}: {message}"
