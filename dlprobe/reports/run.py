"""What `train` says at its end: whether the run learned and why, how signal and gradient flow
through its layers, results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from shlex import quote as quoted
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.record.sizes import factor_text, power_of_ten
from dlprobe.render.document import (
    Block,
    Chart,
    Document,
    Facts,
    Hint,
    Series,
    Strip,
    StripGroup,
    Strips,
    Verdict,
)
from dlprobe.reports.diagnosis import conclusion, explained
from dlprobe.reports.results import column_result, metric_names, result, results
from dlprobe.reports.run_facts import (
    PARTS,
    facts,
    how_targets_are_scaled,
    loss_title,
    part_size,
    steps_done,
    training_seconds,
)
from dlprobe.reports.strips import FlowLine, flow_strips
from dlprobe.reports.tones import BROKEN, VERDICT_TONES

if TYPE_CHECKING:
    from dlprobe.analysis.learning.loss_curve import Curve
    from dlprobe.analysis.profiles.depth_profiles import FlowVerdict
    from dlprobe.analysis.profiles.flow import Flow
    from dlprobe.analysis.profiles.run_profile import RunProfile, StepProfile
    from dlprobe.analysis.theory.mean_field import Prediction
    from dlprobe.rules import Diagnosis
    from dlprobe.runs import Run

SMALL_PART = 0.03  # of the time that a command took; less is not told by itself


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


def train_document(
    told: Told, before: str = "", waited: Mapping[str, float] | None = None
) -> Document:
    """The report of a run that has just ended. before: the run that it repeats with changes, as
    it is typed; empty for none. waited: the seconds of each part of the command; None where no run
    was made.
    """
    run = told.run
    here = quoted(str(run.path))
    pairs = facts(run) if waited is None else [*facts(run), ("waited", waited_line(waited))]
    blocks: list[Block] = [*told.first_screen(), Facts(pairs)]
    blocks += [Hint(f"dlprobe diff {before} {here}")] if before else []
    blocks.append(Hint(f"dlprobe inspect {here} --details", details=True))
    return Document(
        "",
        blocks,
        {
            **train_data(run, told.profile),
            "waited": None if waited is None else dict(waited),
            **state_data(told.diagnosis),
        },
        [*told.details(), Hint(f"dlprobe inspect {here}")],
    )


def waited_line(waited: Mapping[str, float]) -> str:
    """What a command took, and the parts that took most of it, longest first.

    >>> waited_line({"start": 0.52, "training": 1.31, "judging": 0.012, "packing": 0.021})
    '1.86 s: training 1.3, start 0.52, rest 0.033'
    """
    whole = sum(waited.values())
    longest = sorted(waited.items(), key=lambda part: -part[1])
    told = [(part, seconds) for part, seconds in longest if seconds >= SMALL_PART * whole]
    told.append(("rest", whole - sum(seconds for _, seconds in told)))
    return f"{whole:.3g} s: {', '.join(f'{part} {seconds:.2g}' for part, seconds in told)}"


def state_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as data; its state also by itself."""
    return {
        "state": diagnosis.state.name,
        "state_reason": diagnosis.state.reason,
        "diagnosis": diagnosis.to_json(),
    }


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
    if strips and len(steps) > 1:
        return [
            StripGroup(loss_title(run), strips, [f"step {step:,.0f}" for step in steps], "smallest")
        ]
    return []


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
