"""What a report, a picture or a notebook shows of one run, read once by what the commands read
it with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.distributions import Densities
    from dlprobe.api.tables import TableColumns
    from dlprobe.render.document import Document
    from dlprobe.runs import Run, Study

DISTRIBUTION, ROWS = "preactivation", 14  # whose histograms are drawn, in so many rows


def run_document(run: Run, path: str) -> Document:
    """The whole report of one run. path: as it is typed, with `#id` in a study. Raises
    RunFileError where the file is damaged.
    """
    from dlprobe.analysis.profiles.step_maps import step_maps
    from dlprobe.api.telling import told_of
    from dlprobe.reports import inspect_run
    from dlprobe.reports.check import check_document
    from dlprobe.reports.whole import Shown, run_report
    from dlprobe.rules.diagnosis import observed
    from dlprobe.rules.files import Criteria, JudgedRun

    told, criteria = told_of(run, path), Criteria()
    judged = JudgedRun(path, criteria.judge(run), seen=observed(run))
    parts = [
        inspect_run.overview(told, path).data,
        check_document([judged], criteria, (), exit_code=0, fails_on=()).data,
    ]
    return run_report(
        Shown(told, judged, step_maps(run), _norms(run), _distributions(run), parts), path
    )


def _norms(run: Run) -> dict[str, Any]:
    """The gradient's norm over the steps, before and after clipping where these differ."""
    from dlprobe.analysis.learning.loss_curve import smoothed

    names = {"gradient_norm": "before clipping", "clipped_gradient_norm": "after clipping"}
    norms = {word: run.scalar(name) for name, word in names.items() if run.is_recorded(name)}
    if len(norms) == 2 and (norms["before clipping"] == norms["after clipping"]).all():
        norms = {"gradient": norms["before clipping"]}
    return {word: smoothed(run.steps, values) for word, values in norms.items() if len(values) > 1}


def _distributions(run: Run) -> dict[str, tuple[list[int], Densities]]:
    """Steps and densities of a few layers by name; empty where no histograms were recorded."""
    from dlprobe.analysis.profiles.distributions import densities
    from dlprobe.reports.distributions import drawn_layers

    if not run.contents.has(f"histograms/{DISTRIBUTION}/counts"):
        return {}
    recorded, names = run.histograms(DISTRIBUTION), run.layers.names
    drawn = {
        index: densities(
            recorded.counts[:, index],
            recorded.edges[:, index],
            recorded.percentiles[:, index],
            ROWS,
        )
        for index in drawn_layers(len(names))
    }
    return {
        names[index]: (recorded.steps.tolist(), picture)
        for index, picture in drawn.items()
        if picture is not None
    }


def figure(run: Run, name: str | None, theme: str, width: int) -> dict[str, Any]:
    """The Vega-Lite specification of one picture of the report, or of all below each other.
    Raises ConfigError with the names that there are.
    """
    from dlprobe.registry import unknown
    from dlprobe.render import vega
    from dlprobe.render.vega.themes import THEMES

    if theme not in THEMES:
        from dlprobe.errors import ConfigError

        raise ConfigError(unknown("theme", theme, THEMES))
    chosen = vega.picked(vega.pictures(run_document(run, _called(run)), THEMES[theme], width), name)
    return vega.specification(chosen, THEMES[theme])


def run_html(run: Run) -> str:
    """The first section of the report, for a notebook."""
    from dlprobe.api.telling import told_of
    from dlprobe.render.document import Document
    from dlprobe.render.html.page import fragment
    from dlprobe.reports.whole import diagnosis_section

    return fragment(Document("", diagnosis_section(told_of(run, _called(run)))))


def study_html(study: Study, results: TableColumns) -> str:
    """A study's axes, and its runs with their final results, for a notebook."""
    from dlprobe.render.document import Column, Document, Facts, Table
    from dlprobe.render.html.page import fragment

    facts = [
        ("study", str(study.path)),
        ("status", study.status),
        *((name, ", ".join(map(str, values))) for name, values in study.axes.items()),
    ]
    columns = {name: values.tolist() for name, values in results.flat.items()}
    table = Table(
        [Column(name.replace("_", " ")) for name in columns],
        list(zip(*columns.values(), strict=True)),
    )
    return fragment(Document("", [Facts(facts), table]))


def _called(run: Run) -> str:
    return "run" if run.path is None else str(run.path)
