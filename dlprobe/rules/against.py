"""Runs against a numbers baseline: repetitions of one configuration are compared as a group
with those of the baseline.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dlprobe.analysis.comparing.baseline import BaselineComparison, Numbers, numbers_of
from dlprobe.dataclass import dataclass
from dlprobe.errors import RunFileError
from dlprobe.registry import first_of
from dlprobe.rules.diagnosis import observed
from dlprobe.rules.files import COMPARING, Criteria, JudgedRun, configuration_of, each_run, walked
from dlprobe.runs import Run
from dlprobe.runs.reading import reading


@dataclass(frozen=True)
class Baseline:
    """The numbers of both sides."""

    new: tuple[Numbers, ...]
    old: tuple[Numbers, ...]

    def comparison(self, configuration: str) -> BaselineComparison:
        """The new runs of a configuration and those of the baseline that repeat it; all of the
        baseline where none does.
        """
        new, old = (
            tuple(run for run in runs if run.configuration == configuration)
            for runs in (self.new, self.old)
        )
        return BaselineComparison(new, old or self.old)


def read_numbers(paths: Sequence[Path]) -> tuple[Numbers, ...]:
    """The numbers of every run of these files. Raises RunFileError, one line, where a file is
    missing or damaged, or holds known findings.
    """
    runs = []
    for path in paths:
        if path.suffix == ".json" and path.is_file():
            raise RunFileError(
                f"{path} holds no numbers: a findings baseline goes to --baseline {path}, "
                "--against takes the run files themselves"
            )
        with reading(path):
            runs += [_numbers(where, opened) for where, opened in each_run(path)]
    return tuple(runs)


def _numbers(where: str, opened: Callable[[], Run]) -> Numbers:
    run = opened()
    return numbers_of(run, where, configuration_of(run))


def judged_against(
    paths: Sequence[Path], criteria: Criteria, old: Sequence[Path]
) -> Iterator[JudgedRun]:
    """Every run judged, and compared with the baseline: a single run of its configuration by
    itself, repetitions as one more entry at the end.

    Raises RunFileError where the baseline cannot be read.
    """
    baseline = Baseline(_readable(paths), read_numbers(old))
    codes = [rule.code for rule in criteria.selection.rules]
    alone, compared = (
        criteria.restricted([code for code in codes if (code[0] == COMPARING) is comparing])
        for comparing in (False, True)
    )
    groups: dict[str, JudgedRun] = {}

    def look(path: str, run: Run) -> JudgedRun:
        configuration = configuration_of(run)
        comparison, advice = baseline.comparison(configuration), criteria.advice(Path(path), run)
        if len(comparison.new) == 1:
            return JudgedRun(
                path,
                criteria.judge(run, comparison),
                configuration,
                advice=advice,
                against=True,
                seen=observed(run),
            )
        if configuration not in groups:
            sides = ([run.path for run in runs] for runs in (comparison.new, comparison.old))
            name = " against ".join(first_of(paths, 2) for paths in sides)
            groups[configuration] = JudgedRun(
                name, compared.judge(run, comparison), group=True, against=True
            )
        return JudgedRun(path, alone.judge(run), configuration, advice=advice, seen=observed(run))

    yield from walked(paths, criteria, look)
    if compared.selection.rules:
        yield from groups.values()


def _readable(paths: Sequence[Path]) -> tuple[Numbers, ...]:
    """The numbers of the runs that can be read; of the others judging tells."""
    readable: list[Numbers] = []
    for path in paths:
        with contextlib.suppress(RunFileError):
            for where, opened in each_run(path):
                with contextlib.suppress(RunFileError), reading(path):
                    readable.append(_numbers(where, opened))
    return tuple(readable)
