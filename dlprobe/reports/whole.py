"""What `report` says: one document that tells a whole run or study, put together of what the
other commands say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe import registry
from dlprobe.dataclass import dataclass
from dlprobe.record.description import OWN
from dlprobe.render.checked import note_lines
from dlprobe.render.document import (
    Block,
    Chart,
    Column,
    Density,
    Document,
    Facts,
    Heading,
    Hint,
    LayerSeries,
    LayerValues,
    Lines,
    Paragraph,
    Profile,
    Series,
    StepMap,
    Table,
)
from dlprobe.reports.check import checked_run
from dlprobe.reports.diagnosis import cause_blocks, fault_blocks, opening
from dlprobe.reports.inspect_run import toml_lines
from dlprobe.reports.results import results
from dlprobe.reports.run import Told, loss_chart, verdict_lines
from dlprobe.reports.run_facts import PARTS, facts, part_size
from dlprobe.reports.statistic import LINES, spans_decades, spread
from dlprobe.reports.strips import QUANTITIES
from dlprobe.reports.tones import VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.learning.loss_curve import Curve
    from dlprobe.analysis.profiles.distributions import Densities
    from dlprobe.analysis.profiles.run_profile import RunProfile
    from dlprobe.analysis.profiles.step_maps import StepMaps
    from dlprobe.rules import Diagnosis
    from dlprobe.rules.files import JudgedRun
    from dlprobe.runs import Run

SCHEMA = "dlprobe-report/1"
FIRST = "error_signal_rms"  # the statistic that a step map shows first
RUNS = 200  # of a study that are told of one by one


@dataclass(frozen=True)
class Shown:
    """What is drawn of one run beside its `told`. maps: None where no step was recorded; norms:
    curves of the gradient's norm by name; distributions: of a few layers with their steps, by name.
    parts: records of `inspect` and `check`.
    """

    told: Told
    judged: JudgedRun
    maps: StepMaps | None
    norms: Mapping[str, Curve]
    distributions: Mapping[str, tuple[Sequence[int], Densities]]
    parts: Sequence[Mapping[str, Any]]


def run_report(shown: Shown, where: str) -> Document:
    """A run, section by section; what was not recorded is left out. where: the run as it is
    typed.
    """
    run, told = shown.told.run, shown.told
    sections: list[tuple[str, list[Block]]] = [
        ("Diagnosis", diagnosis_section(told)),
        ("Findings", findings(told.diagnosis, shown.judged)),
        ("Through the layers", [*_profiles(told), *_verdicts(told)]),
        ("Learning", [*loss_chart(run, told.curve), *_error_chart(run)]),
        ("Layer by step", [] if shown.maps is None else [_step_map(shown.maps)]),
        ("Updates and gradients", [*_norms(shown.norms), *_updates(shown.maps)]),
        ("Distributions", [_density(name, *drawn) for name, drawn in shown.distributions.items()]),
        ("How it was made", made(run, where)),
    ]
    data = {"schema": SCHEMA, "kind": "run", "path": where, "parts": list(shown.parts)}
    return Document(f"report of {where}", sectioned(sections), data)


def diagnosis_section(told: Told) -> list[Block]:
    """The state of the run, the cause, what to try; what was trained, and its results."""
    return [
        *opening(told.diagnosis),
        *cause_blocks(told.diagnosis),
        Facts(facts(told.run)),
        *results(told.run),
    ]


def sectioned(sections: Iterable[tuple[str, Sequence[Block]]]) -> list[Block]:
    return [block for title, blocks in sections if blocks for block in (Heading(title), *blocks)]


def findings(diagnosis: Diagnosis, judged: JudgedRun) -> list[Block]:
    """Every finding that the diagnosis did not tell already, then what passed, and what could
    not be looked at with its reason.
    """
    run, told = checked_run(judged), [*filter(None, [diagnosis.cause]), *diagnosis.symptoms]
    others = [finding for finding in judged.judgement.findings if finding not in told]
    blocks: list[Block] = [block for other in others for block in fault_blocks(diagnosis, other)]
    blocks += (
        [Paragraph("No rule found anything." if not told else "No rule found anything else.")]
        if not others
        else []
    )
    blocks += [Paragraph(note) for note in note_lines(run)]
    if run.passed:
        blocks.append(Paragraph(f"Passed: {', '.join(run.passed)}."))
    if run.not_evaluated:
        titles = {record.code: record.title for record in registry.records("rule").values()}
        rows = [
            [code, titles.get(code, code), reason] for code, reason in run.not_evaluated.items()
        ]
        blocks.append(
            Table([Column("code"), Column("rule"), Column("why it was not evaluated")], rows)
        )
    return blocks


def _profiles(told: Told) -> list[Block]:
    run = told.run
    names = [*(run.layers.names[index] for index in run.hidden_layers), run.layers.names[-1]]
    verdicts = {
        moment.step: moment.verdict.verdict
        for moment in ([] if told.profile is None else [told.profile.first, told.profile.last])
    }
    blocks: list[Block] = []
    for quantity, title in QUANTITIES.items():
        series = []
        for step, flow in told.flows.items():
            judged = verdicts.get(step, "") if quantity == FIRST else ""
            band = _expected(told.profile) if quantity == FIRST and step == 0 else []
            series.append(
                LayerSeries(
                    f"step {step:,}",
                    getattr(flow, quantity).tolist(),
                    judged,
                    VERDICT_TONES.get(judged, "neutral"),
                    band,
                )
            )
        longest = max((len(curve.values) for curve in series), default=0)
        blocks += (
            [Profile(series, names[:longest], caption=title, name=quantity)] if longest else []
        )
    return blocks


def _verdicts(told: Told) -> list[Block]:
    if told.profile is None:
        return []
    return verdict_lines(told.profile, told.diagnosis.state.name == "learned well", told.healed)


def _expected(profile: RunProfile | None) -> list[tuple[float, float]]:
    """The band of theory for the error signal of each hidden layer, seen from the last one as
    it was measured; empty where there is none.
    """
    if profile is None or profile.theory is None or not profile.theory.applicable:
        return []
    last = float(profile.first.flow.error_signal_rms[-1])
    return [(last * band.low, last * band.high) for band in profile.theory.error_signal_bands()]


def _error_chart(run: Run) -> list[Block]:
    """The error at the evaluations, of the parts that have samples."""
    shares = run.data.get("task") == "classification"
    series = []
    for part, word in PARTS.items():
        values = run.evaluations.get(f"{part}_error")
        if values is not None and part_size(run, part) and len(values) > 1:
            series.append(
                Series(
                    word,
                    run.evaluations["step"].tolist(),
                    [100.0 * value if shares else value for value in values.tolist()],
                )
            )
    if series:
        return [
            Chart(
                series,
                "step",
                "error in %" if shares else "error (RMS)",
                caption="Error at the evaluations",
                name="error",
            )
        ]
    return []


def _step_map(maps: StepMaps) -> StepMap:
    names = sorted(maps.values, key=lambda name: name != FIRST)
    quantities = [
        LayerValues(name, maps.values[name].tolist(), registry.get("statistic", name).summary)
        for name in names
    ]
    return StepMap(
        maps.steps.tolist(),
        maps.layers,
        quantities,
        f"{names[0].replace('_', ' ')} of every layer over the steps",
        "map",
    )


def _norms(norms: Mapping[str, Curve]) -> list[Block]:
    series = [
        Series(name, curve.steps.tolist(), curve.values.tolist()) for name, curve in norms.items()
    ]
    if not series:
        return []
    log = spans_decades([value for line in series for value in line.y])
    return [
        Chart(
            series,
            "step",
            "norm of the whole gradient",
            log_y=log,
            caption="Gradient",
            name="gradient_norm",
        )
    ]


def _updates(maps: StepMaps | None) -> list[Block]:
    if maps is None or "update_ratio" not in maps.values:
        return []
    values, steps = maps.values["update_ratio"], maps.steps.tolist()
    series = [
        Series(maps.layers[index], steps, values[:, index].tolist())
        for index in spread(len(maps.layers), LINES)
    ]
    caption = (
        "Size of each update beside its weights; 0.001 is usual, 0.1 leaves little of what "
        "was learned"
    )
    return [
        Chart(
            series,
            "step",
            "update / weights",
            log_y=spans_decades([value for curve in series for value in curve.y]),
            caption=caption,
            name="update_ratio",
        )
    ]


def _density(layer: str, steps: Sequence[int], drawn: Densities) -> Density:
    return Density(
        drawn.shares.tolist(),
        list(steps),
        drawn.low,
        drawn.high,
        "step",
        "preactivation",
        f"{layer}: preactivation",
    )


def made(run: Run, where: str) -> list[Block]:
    """Configuration, environment, hashes, and the command that repeats the run."""
    hashes = [
        ("content", f"sha256 {run.content_sha256}"),
        ("parameters", f"sha256 {run.parameters_sha256}" if run.parameters_sha256 else "-"),
    ]
    environment = [
        (key.replace("_", " "), value)
        for key, value in run.environment.items()
        if isinstance(value, str | int | float)
    ]
    blocks: list[Block] = (
        [Hint(f"dlprobe train {where} -o again.h5   # the same run once more")]
        if run.origin == OWN
        else []
    )
    blocks += [Lines(toml_lines(run.config))] if run.config else []
    return [*blocks, Facts([*environment, *hashes])]


def study_report(
    path: str,
    answers: Sequence[Document],
    overview: Document,
    diagnoses: Sequence[Diagnosis],
    description: Document,
) -> Document:
    """A study: what its experiment's own command says, its runs, and the state of each, the
    one that learned least first.
    """
    shown = diagnoses[:RUNS]
    runs: list[Block] = []
    for judged in shown:
        id = judged.path.rpartition("#")[2]
        runs += [
            Heading(id, 2),
            *opening(judged),
            *cause_blocks(judged, 1),
            Hint(f"dlprobe report {quoted(judged.path)}"),
        ]
    if len(diagnoses) > len(shown):
        runs.append(
            Paragraph(
                f"{len(diagnoses) - len(shown)} more runs are not told of here: dlprobe check "
                f"{quoted(path)} tells of all."
            )
        )
    sections = [
        ("What was found", [block for document in answers for block in _without_hints(document)]),
        ("Runs", list(_without_hints(overview))),
        ("The state of each run", runs),
        ("How it was made", list(description.blocks)),
    ]
    parts = [document.data for document in (*answers, overview)]
    return Document(
        f"report of {path}",
        sectioned(sections),
        {"schema": SCHEMA, "kind": "study", "path": path, "parts": parts},
    )


def _without_hints(document: Document) -> list[Block]:
    return [block for block in (*document.blocks, *document.details) if not isinstance(block, Hint)]
