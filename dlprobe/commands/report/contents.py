"""What a report is put together of: each part read once, by what the other commands read it
with.
"""

from __future__ import annotations

from dataclasses import field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from dlprobe.commands.base.screen import Screen
from dlprobe.dataclass import dataclass
from dlprobe.errors import DlprobeError

if TYPE_CHECKING:
    from dlprobe.render.document import Document
    from dlprobe.runs import Run, Study

# name in the study -> (its command, its experiment): those whose answer can be given again without
# training
EXPERIMENTS = {
    "gradients": ("gradients", "gradients.GradientExperiment"),
    "compare": ("compare", "compare.CompareExperiment"),
    "bias-variance": ("bias_variance", "bias_variance.BiasVarianceExperiment"),
}


@dataclass(frozen=True)
class Collecting(Screen):
    """A screen that keeps what a command shows instead of printing it."""

    shown: list[Document] = field(default_factory=list)

    def show(self, document: Document) -> None:
        """Keep it."""
        self.shown.append(document)


def report_of(opened: Run | Study, path: Path, screen: Screen) -> Document:
    """The report of a run or of a study."""
    from dlprobe.api.reporting import run_document
    from dlprobe.runs import Run

    if isinstance(opened, Run):
        return run_document(opened, str(path))
    return study_document(opened, path, screen)


def study_document(study: Study, path: Path, screen: Screen) -> Document:
    """The report of a study; what its experiment's command says of it is asked of that command."""
    from dlprobe.commands.inspect.study_lines import run_line
    from dlprobe.reports import inspect_study
    from dlprobe.reports.diagnosis import worst_first
    from dlprobe.reports.whole import study_report
    from dlprobe.rules import diagnose, judge

    diagnoses = []
    for member in study.runs:
        run = study.member(member)
        diagnoses.append(diagnose(run, judge(run), f"{path}#{member}"))
    overview = inspect_study.overview(study, [run_line(study, member) for member in study.runs])
    return study_report(
        str(path),
        answers(study, path, screen),
        overview,
        worst_first(diagnoses),
        inspect_study.description(study),
    )


def answers(study: Study, path: Path, screen: Screen) -> list[Document]:
    """What the experiment's own command shows of the study; none where it cannot, which is said."""
    from dlprobe.commands import recipe
    from dlprobe.commands.base.study_driver import show_saved

    name = str(study.description.get("experiment"))
    kept = Collecting(screen.format, screen.quiet, screen.color, screen.debug, screen.allowed)
    try:
        if name == "recipe":
            recipe.show_again(path, kept)
        elif name in EXPERIMENTS:
            command, kind = EXPERIMENTS[name]
            module, _, experiment = kind.partition(".")
            answer = getattr(import_module(f"dlprobe.experiments.{module}"), experiment)
            show_saved(answer, path, kept, import_module(f"dlprobe.commands.{command}").show)
    except DlprobeError as error:
        screen.warn(f"{error}; the report leaves that part out")
    return kept.shown
