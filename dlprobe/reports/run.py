"""What `train` says at its end: whether the run learned and why, how signal and gradient flow
through its layers, results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dlprobe import registry
from dlprobe.config import to_mapping
from dlprobe.record.description import ORIGINS, OWN, known_facts
from dlprobe.record.sizes import factor_text, power_of_ten
from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Hint,
    Series,
    Strip,
    StripGroup,
    Strips,
    Table,
    Toned,
    Verdict,
)
from dlprobe.reports.diagnosis import conclusion, explained
from dlprobe.reports.strips import FlowLine, flow_strips
from dlprobe.reports.tones import BROKEN, STATUS_TONES, VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.learning.loss_curve import Curve
    from dlprobe.analysis.profiles.depth_profiles import FlowVerdict
    from dlprobe.analysis.profiles.flow import Flow
    from dlprobe.analysis.profiles.run_profile import RunProfile, StepProfile
    from dlprobe.analysis.theory.mean_field import Prediction
    from dlprobe.rules import Diagnosis
    from dlprobe.runs import Run

PARTS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Told:
    """What is told of one run. profile, curve: None where no step was recorded; flows: the three
    quantities at the first and last recorded step, by step;
    healed: the step from which an ill error signal stayed within the band, None where there is
        none.
    """

    run: Run
    diagnosis: Diagnosis
    profile: RunProfile | None
    curve: Curve | None
    flows: Mapping[int, Flow] = field(default_factory=dict)
    healed: int | None = None

    def first_screen(self) -> list[Block]:
        """The conclusion, how signal and gradient flow with the loss below, and the results."""
        return [*conclusion(self.diagnosis), *self.strips(), *results(self.run)]

    def strips(self) -> list[Block]:
        """The three quantities at the first and last recorded step, and the loss; nothing where
        neither was recorded.
        """
        run, loss = self.run, loss_strips(self.run, self.curve)
        verdicts = {
            moment.step: moment.verdict.verdict
            for moment in ([] if self.profile is None else [self.profile.first, self.profile.last])
        }
        lines = [
            FlowLine(f"step {step:,}", flow, verdicts.get(step, ""))
            for step, flow in self.flows.items()
        ]
        names = [*(run.layers.names[index] for index in run.hidden_layers), run.layers.names[-1]]
        return flow_strips(lines, names, more=loss) or ([Strips(loss)] if loss else [])

    def details(self) -> list[Block]:
        """What is behind the conclusion, the loss curve, and what the profiles say."""
        verdicts = (
            []
            if self.profile is None
            else verdict_lines(
                self.profile, self.diagnosis.state.name == "learned well", self.healed
            )
        )
        return [*explained(self.diagnosis), *loss_chart(self.run, self.curve), *verdicts]


def train_document(told: Told, before: str = "") -> Document:
    """The report of a run that has just ended. before: the run that it repeats with changes, as
    it is typed; empty for none.
    """
    run = told.run
    here = quoted(str(run.path))
    blocks: list[Block] = [*told.first_screen(), Facts(facts(run))]
    blocks += [Hint(f"dlprobe diff {before} {here}")] if before else []
    blocks.append(Hint(f"dlprobe inspect {here} --details", details=True))
    return Document(
        "",
        blocks,
        {**train_data(run, told.profile), **state_data(told.diagnosis)},
        [*told.details(), Hint(f"dlprobe inspect {here}")],
    )


def state_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as data; its state also by itself."""
    return {
        "state": diagnosis.state.name,
        "state_reason": diagnosis.state.reason,
        "diagnosis": diagnosis.to_json(),
    }


def facts(run: Run) -> list[tuple[str, Any]]:
    """What was trained and how it ended."""
    pairs: list[tuple[str, Any]] = [("status", Toned(run.status, STATUS_TONES[run.status]))]
    if run.final.get("stop_reason"):
        pairs[0] = (
            "status",
            Toned(
                f"{run.status} at step {run.final['stopped_step']}: {run.final['stop_reason']}",
                STATUS_TONES[run.status],
            ),
        )
    if run.origin != OWN:
        pairs.append(
            ("origin", f"{run.origin}: {ORIGINS.get(run.origin, 'another program trained it')}")
        )
    pairs += [
        ("data", data_line(run)),
        *targets_line(run),
        ("net", net_line(run)),
        ("training", training_line(run)),
    ]
    pairs += [
        (name, line)
        for name, line in (("remedies", remedies_line(run)), ("clipped", clipping_line(run)))
        if line
    ]
    if "best_step" in run.final:
        pairs.append(
            (
                "best",
                (
                    f"{monitor(run)} {float(run.final['best_value']):.4g} at step "
                    f"{run.final['best_step']}"
                ),
            )
        )
    if thinned := thinned_line(run):
        pairs.append(("thinned nets", thinned))
    seconds = training_seconds(run)
    pace = f" in {seconds:.3g} s of training" if math.isfinite(seconds) else ""
    pairs.append(("steps", f"{steps_done(run)}{epochs(run)}{pace}"))
    return pairs


def thinned_line(run: Run) -> str:
    """The mean output of thinned nets beside the whole net, on the last part that has samples;
    empty where it was not asked for.
    """
    told = [
        f"{name} {float(run.final[f'{part}_mc_{name}']):.4g}, "
        f"whole net {float(run.final[f'{part}_{name}']):.4g}"
        for part in ("test", "val")
        for name in ("error", "rmse", "loss")
        if f"{part}_mc_{name}" in run.final
    ][:2]
    part = "test" if "test_mc_loss" in run.final else "validation"
    return f"mean output on the {part} part: {'; '.join(told)}" if told else ""


def monitor(run: Run) -> str:
    """What early stopping watched."""
    return run.facts.monitor or "monitored value"


def training_line(run: Run) -> str:
    """Optimizer, the learning rate that was used, batch size, seed and precision, as far as
    they are known.
    """
    facts, config = run.facts, run.configuration
    recorded = len(run.steps) and run.is_recorded("learning_rate")
    known = {
        "": facts.optimizer,
        "learning rate ": run.scalar("learning_rate")[0] if recorded else facts.learning_rate,
        "batch size ": facts.batch_size if config is None else config.training.batch_size,
        "seed ": facts.seed,
    }
    told = [
        f"{word}{value:g}" if isinstance(value, float) else f"{word}{value}"
        for word, value in known.items()
        if value is not None
    ]
    return ", ".join([*told, str(run.dtype)] if run.origin == OWN else told) or "not in the file"


CLIPS = ("clip_value", "clip_layer_norm", "clip_global_norm")
REMEDIES = {
    "data": ("augment",),
    "model": (
        "weight_transform",
        "dropout",
        "input_dropout",
        "drop_connect",
        "noise",
        "input_noise",
    ),
    "training": (
        *(
            "l1",
            "l2",
            "bias_l1",
            "bias_l2",
            "activity_l1",
            "activity_l2",
            "orthogonal_penalty",
            "max_norm",
        ),
        *(*CLIPS, "mixup", "label_smoothing", "class_weights"),
    ),
}


def remedies_line(run: Run) -> str:
    """The remedies that the run was trained with, as far as they are known, as `key value`;
    empty without.
    """
    facts = {"data": {}, "model": known_facts(run.facts), "training": known_facts(run.facts)}
    tables = facts if run.configuration is None else to_mapping(run.configuration)
    settings = [
        (key, value)
        for table, keys in REMEDIES.items()
        for key in keys
        if (value := tables[table].get(key, 0)) not in (0, "none", None)
    ]
    return ", ".join(
        f"{key.replace('_', ' ')} {value:g}"
        if isinstance(value, int | float)
        else f"{key.replace('_', ' ')} {value}"
        for key, value in settings
    )


def clipping_line(run: Run) -> str:
    """In how many of the recorded steps clipping changed the gradient, and by how much; empty
    where nothing is clipped.
    """
    recorded = run.is_recorded("gradient_norm") and run.is_recorded("clipped_gradient_norm")
    if not recorded or (
        run.configuration is not None
        and all(getattr(run.configuration.training, key) is None for key in CLIPS)
    ):
        return ""
    before, after = run.scalar("gradient_norm"), run.scalar("clipped_gradient_norm")
    bound = (after < before * (1 - 1e-9)) & (before > 0)
    share = float(bound.mean()) if len(bound) else 0.0
    shrunk = (
        f", there to {float((after[bound] / before[bound]).mean()):.2g} of its norm on average"
        if bound.any()
        else ""
    )
    return f"the gradient in {100 * share:.3g} % of the steps{shrunk}"


def data_line(run: Run) -> str:
    """The data set and the samples of its parts."""
    if "name" not in run.data:
        return "not in the file"
    sizes = " + ".join(
        f"{part_size(run, part)} {word}" for part, word in PARTS.items() if part_size(run, part)
    )
    return f"{run.data.get('name')}, {run.data.get('task')}: {sizes}"


def targets_line(run: Run) -> list[tuple[str, str]]:
    """How targets were scaled, and what that makes of the numbers; nothing where they were not."""
    kind = how_targets_are_scaled(run)
    if kind == "none":
        return []
    names = list(run.data.get("target_names", ()))
    several = (
        (
            f"{counted(len(names), 'column')} "
            f"({', '.join(names[:4])}{', …' if len(names) > 4 else ''}), "
        )
        if len(names) > 1
        else ""
    )
    return [
        (
            "targets",
            (
                f"{several}{SCALED[kind]}: losses are of scaled targets, errors and metrics in "
                "their own units"
            ),
        )
    ]


def how_targets_are_scaled(run: Run) -> str:
    """standardize, minmax or none, which is what files mean that do not say it."""
    return str(run.data.get("target_scaler", "none"))


def loss_title(run: Run) -> str:
    """What tables and charts call a loss: also of what, where targets were scaled."""
    return "loss" if how_targets_are_scaled(run) == "none" else "loss (scaled targets)"


def net_line(run: Run) -> str:
    """Widths from input to output, activation, initializer, normalization, residual connection,
    as far as the file says.
    """
    first, *others = run.layer_facts
    of_input = run.origin == OWN and first.name == "input"
    layers = others if of_input else [first, *others]
    sizes = [layers[0].fan_in, *(layer.units for layer in layers)]
    widths = [size for size in sizes if size is not None]
    activations = _told(layer.activation for layer in layers[:-1] or layers)
    made = [", ".join(activations), " and ".join(_told(layer.initializer for layer in layers))]
    norms = dict.fromkeys(
        (layer.normalization, layer.norm_position) for layer in layers if layer.is_normalized
    )
    made += [
        f"{norm} norm {position} the activation" if position else f"{norm} norm"
        for norm, position in norms
    ]
    made += [
        f"{residual} residual connections"
        for residual in _told(layer.residual for layer in layers)
        if residual != "none"
    ]
    made += [f"{first.normalization} norm of the input"] if of_input else []
    size = (
        "-".join(filter(None, [str(widths[0]), shortened(widths[1:-1]), str(widths[-1])]))
        if len(widths) == len(sizes)
        else f"{counted(len(layers), 'layer')}, {layers[0].name} … {layers[-1].name}"
    )
    return ", ".join(filter(None, [size, *made]))


def _told(texts: Iterable[str | None]) -> list[str]:
    """What is known, each text once."""
    return list(dict.fromkeys(filter(None, texts)))


def shortened(widths: Sequence[int]) -> str:
    """`100×20-10` for widths of layers that repeat.

    >>> shortened([100, 100, 100, 10])
    '100×3-10'
    """
    groups: list[tuple[int, int]] = []
    for width in widths:
        if groups and groups[-1][0] == width:
            groups[-1] = (width, groups[-1][1] + 1)
        else:
            groups.append((width, 1))
    return "-".join(f"{width}×{count}" if count > 1 else str(width) for width, count in groups)


def steps_done(run: Run) -> int:
    """Updates made; where the file does not say, as far as its record goes."""
    if "steps_done" in run.final:
        return int(run.final["steps_done"])
    return int(run.steps[-1]) + (run.status == "finished") if len(run.steps) else 0


def epochs(run: Run) -> str:
    done = run.final.get("epochs_done")
    return "" if done is None else f" ({float(done):.4g} epoch{'s' * (done != 1)})"


def part_size(run: Run, part: str) -> int:
    return len(run.data.get(f"{part}_indices", ()))


def training_seconds(run: Run) -> float:
    """Wall time of all blocks of steps: the mean time of a step in each block times its steps;
    NaN where it was not kept.
    """
    timing = run.timing
    if not len(timing.get("step", ())):
        return math.nan
    ends = [
        *timing["step"][1:],
        int(timing["step"][-1]) if not len(run.steps) else int(run.steps[-1]) + 1,
    ]
    return float(
        sum(
            (end - start) * seconds
            for start, end, seconds in zip(
                timing["step"], ends, timing["step_seconds"], strict=True
            )
        )
    )


SCALED = {"standardize": "standardized", "minmax": "min-max scaled"}
# the metrics of the table by title; JSON and inspect --show metrics have all
CHOSEN = {"regression": {"error": "error (RMS)", "r2": "R²"}}


def results(run: Run) -> list[Block]:
    """The table of results; nothing of a run whose file says nothing of its data."""
    return [results_table(run)] if any(part_size(run, part) for part in PARTS) else []


def results_table(run: Run) -> Table:
    """Loss and the chosen metrics of every part that has samples, with the final parameters; a
    metric that an older file lacks is left out.
    """
    chosen = {"loss": loss_title(run), **CHOSEN.get(str(run.data.get("task")), {"error": "error"})}
    parts = {part: word for part, word in PARTS.items() if part_size(run, part)}
    keys = [
        key
        for key in chosen
        if key in ("loss", "error")
        or any(result(run, f"{part}_{key}") is not None for part in parts)
    ]
    share = run.data.get("task") == "classification"
    columns = [
        Column("part"),
        Column("samples", align="right"),
        *(_column(chosen[key], share and key == "error") for key in keys),
    ]
    rows: list[list[Cell]] = [
        [
            word,
            part_size(run, part),
            *(_in_percent(result(run, f"{part}_{key}"), share and key == "error") for key in keys),
        ]
        for part, word in parts.items()
    ]
    best = [smallest_error(run, part) for part in parts]
    if any(best):
        columns += [_column("smallest error", share), Column("after step", "", "right")]
        rows = [
            [
                *row,
                *(
                    (None, None)
                    if smallest is None
                    else (_in_percent(smallest[1], share), smallest[0])
                ),
            ]
            for row, smallest in zip(rows, best, strict=True)
        ]
    evaluated: Sequence[int] = list(run.evaluations.get("step", ()))
    caption = (
        ""
        if run.final or not len(evaluated)
        else f"At the last evaluation, after {counted(evaluated[-1], 'step')}"
    )
    return Table(columns, rows, caption)


def _column(name: str, share: bool) -> Column:
    return Column(name, "%" if share else "", "right")


def smallest_error(run: Run, part: str) -> tuple[int, float] | None:
    """The evaluation with the smallest error of a part: after how many updates, and the error;
    None where none was evaluated.
    """
    errors = np.asarray(run.evaluations.get(f"{part}_error", ()), np.float64)
    if not np.isfinite(errors).any():
        return None
    best = int(np.nanargmin(errors))
    return int(run.evaluations["step"][best]), float(errors[best])


def _in_percent(value: float | None, share: bool) -> float | None:
    return 100.0 * value if share and value is not None else value


def result(run: Run, name: str) -> float | None:
    """A result at the end, or of the last evaluation where the run has no end; None where there
    is none.
    """
    last = run.final.get(name)
    if last is None and len(run.evaluations.get(name, ())):
        last = run.evaluations[name][-1]
    return None if last is None else float(last)


def column_result(run: Run, name: str) -> list[float] | None:
    """A result of each class or target at the end, or of the last evaluation; None where there
    is none.
    """
    last = run.final.get(name)
    evaluated = {**run.evaluation_classes, **run.evaluation_targets}
    if last is None and len(evaluated.get(name, ())):
        last = evaluated[name][-1]
    return None if last is None else [float(value) for value in last]


def metric_names(run: Run, *, per_column: bool) -> list[str]:
    """The registered metrics that suit the run, those of each class or target or the others, in
    the registry's order.
    """
    suited = {
        name: record
        for name, record in registry.records("metric").items()
        if run.data.get("task") in record.tasks
    }
    several = len(run.data.get("target_names", ())) > 1
    return [
        name
        for name, metric in suited.items()
        if metric.is_one_number != per_column and (several or not metric.per_target)
    ]


def loss_strips(run: Run, curve: Curve | None) -> list[StripGroup]:
    """The loss over the evaluations, of a run without them that of its batches, averaged over
    stretches of steps.
    """
    steps = run.evaluations.get("step", ())
    losses = {
        word: run.evaluations.get(f"{part}_loss")
        for part, word in PARTS.items()
        if part_size(run, part)
    }
    strips = [Strip(word, values.tolist()) for word, values in losses.items() if values is not None]
    if not strips and curve is not None:
        steps, strips = curve.steps, [Strip("batches", curve.values.tolist())]
    return (
        [StripGroup(loss_title(run), strips, [f"step {step:,.0f}" for step in steps], "smallest")]
        if strips and len(steps) > 1
        else []
    )


def loss_chart(run: Run, curve: Curve | None) -> list[Block]:
    """Training loss of the batches, averaged over stretches of steps, and the validation loss
    at its evaluations.
    """
    if curve is None or len(curve.values) < 2:
        return []
    series = [Series("training, mean over batches", curve.steps.tolist(), curve.values.tolist())]
    if part_size(run, "val") and "val_loss" in run.evaluations:
        series.append(
            Series(
                "validation", run.evaluations["step"].tolist(), run.evaluations["val_loss"].tolist()
            )
        )
    positive = [value for line in series for value in line.y if 0 < value < math.inf]
    return [
        Chart(
            series,
            "step",
            loss_title(run),
            log_y=bool(positive) and max(positive) > 20 * min(positive),
            caption="Loss",
            name="loss",
        )
    ]


def verdict_lines(
    profile: RunProfile, learned: bool = False, healed: int | None = None
) -> list[Block]:
    """One line for the first recorded step, one for the last, and what theory expected of the
    first. learned: whether the run learned well in spite of them;
    healed: the step from which an ill error signal stayed within the band.
    """
    came = "" if healed is None else f"; within the band from step {healed:,} on"
    lines: list[Block] = [verdict_line(profile.first, learned, came)]
    if profile.last.step != profile.first.step:
        lines.append(verdict_line(profile.last, learned))
    if profile.theory is not None and profile.first.step == 0 and len(profile.layers) > 1:
        lines.append(
            Verdict(f"theory of wide random nets for step 0: {expectation(profile.theory)}")
        )
    return lines


def expectation(prediction: Prediction) -> str:
    """Theory's ratio of error signals with its band, as a factor like that of the verdicts; or
    why there is none.
    """
    if not prediction.applicable:
        return prediction.reason
    band = prediction.log10_error_signal_ratio
    return (
        f"{_factor(band.value)} ×; nets of this width fall in {_factor(band.low)} … "
        f"{_factor(band.high)}"
    )


def _factor(exponent: float) -> str:
    return factor_text(10.0**exponent) if abs(exponent) < 300 else power_of_ten(exponent)


def verdict_line(moment: StepProfile, learned: bool = False, more: str = "") -> Verdict:
    """The measurement of one recorded step in words; it accuses no run that learned well."""
    name = moment.verdict.verdict
    yet = "; yet the run learned" if learned and name in BROKEN else ""
    return Verdict(
        f"step {moment.step}: {name}: {moment.verdict.reason}{yet}{more}",
        "neutral" if learned else VERDICT_TONES[name],
    )


def overall(profile: RunProfile) -> FlowVerdict:
    """The verdict on the run: that of the first step, where the cause lies; a net that starts
    unbroken is judged by its last.
    """
    return (
        profile.first.verdict if profile.first.verdict.verdict in BROKEN else profile.last.verdict
    )


def train_data(run: Run, profile: RunProfile | None) -> dict[str, Any]:
    """What `train --format json` prints."""
    losses: dict[str, Any] = {
        f"{part}_{key}": result(run, f"{part}_{key}")
        for key in ("loss", *metric_names(run, per_column=False))
        for part in PARTS
    }
    losses |= {
        f"{part}_{key}": column_result(run, f"{part}_{key}")
        for key in metric_names(run, per_column=True)
        for part in PARTS
    }
    losses |= {
        key: run.final.get(key)
        for key in ("best_step", "best_value", "stopped_step", "stop_reason")
    }
    losses |= {key: float(value) for key, value in run.final.items() if "_mc_" in key}
    judged = None if profile is None else overall(profile)
    return {
        "schema": "dlprobe-train/1",
        "path": str(run.path),
        "status": run.status,
        "steps": steps_done(run),
        "seconds": training_seconds(run),
        "target_scaling": how_targets_are_scaled(run),
        "target_names": run.data.get("target_names"),
        **losses,
        "verdict": judged and judged.verdict,
        "reason": judged and judged.reason,
        "profile": profile_data(profile),
        "content_sha256": run.content_sha256,
    }


def profile_data(profile: RunProfile | None) -> dict[str, Any] | None:
    """Both moments as data: layers, initial with theory beside it, final."""
    if profile is None:
        return None
    initial = moment_data(profile.first)
    if profile.theory is not None:
        band = profile.theory.log10_error_signal_ratio
        initial["theory"] = {
            "value": band.value,
            "low": band.low,
            "high": band.high,
            "reason": profile.theory.reason,
        }
    return {"layers": list(profile.layers), "initial": initial, "final": moment_data(profile.last)}


def moment_data(moment: StepProfile) -> dict[str, Any]:
    """One recorded step as data."""
    verdict = moment.verdict
    return {
        "step": moment.step,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "log10_error_signal_ratio": verdict.log10_ratio,
        "band": verdict.band,
        "activation_variance": moment.flow.activation_variance,
        "error_signal_rms": moment.flow.error_signal_rms,
        "gradient_rms": moment.flow.gradient_rms[:-1],
        "output_gradient_rms": float(moment.flow.gradient_rms[-1]),
    }


def quoted(path: str) -> str:
    """A path as a shell takes it."""
    import shlex

    return shlex.quote(path)
