"""A comparison as data: what `compare --format json` prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.reports.diagnosis import states_record

if TYPE_CHECKING:
    from dlprobe.analysis.comparing.comparison import Health, Pair, ValueResult
    from dlprobe.analysis.comparing.paired import Interval
    from dlprobe.analysis.theory.mean_field import Prediction
    from dlprobe.experiments.compare import Compared
    from dlprobe.rules import Diagnosis

SCHEMA = "dlprobe-compare/1"


@dataclass(frozen=True)
class Seeds:
    """The state of the seeds of each value, by label. diagnoses: the one that learned
    least first; healed: steps from which an error signal that was ill at first stayed within the
    band, of the seeds in which it did.
    """

    diagnoses: Mapping[str, Sequence[Diagnosis]]
    healed: Mapping[str, Sequence[int]]


def comparison_record(
    compared: Compared,
    data_name: str,
    shared: Mapping[str, str],
    values: Sequence[Mapping[str, Any]],
    caveats: Sequence[str],
) -> dict[str, Any]:
    """The whole record. shared: net and training of all values in words; values: one record
    each.
    """
    request, comparison = compared.request, compared.all
    power = comparison.power
    return {
        "schema": SCHEMA,
        "data": data_name,
        "net": shared["net"],
        "training": shared["training"],
        "complete": compared.complete,
        "axes": {axis: list(values) for axis, values in request.axes.items()},
        "seeds": list(request.seeds),
        "by": comparison.by,
        "effect": "factor" if comparison.ratio else "difference",
        "target": comparison.target,
        "chance": comparison.chance,
        "equal": request.equal,
        "equal_parameters": request.equal_parameters,
        "vary_data": request.vary_data,
        "tuned": any(cell.tuning for cell in request.cells),
        "caveats": list(caveats),
        "values": list(values),
        "comparisons": [_pair_record(pair) for pair in comparison.pairs],
        "power": {
            "seeds": power.seeds,
            "comparisons": power.comparisons,
            "seeds_needed": power.needed,
            "too_few_seeds": comparison.too_few_seeds,
            "spread": power.spread,
            "detectable": power.detectable,
            "seeds_for_half": power.for_half,
        },
        "marginals": [
            {
                "axis": axis,
                "values": [
                    {"value": label, **_interval(number)} for label, number in margin.values.items()
                ],
                "comparisons": [_pair_record(pair) for pair in margin.pairs],
            }
            for axis, margin in compared.marginals.items()
        ],
    }


def value_record(
    compared: Compared,
    value: ValueResult,
    curve: tuple[Sequence[float], Sequence[float]],
    seeds: Seeds,
) -> dict[str, Any]:
    """One value. curve: (steps, median of the ranking metric); seeds: the states of the runs of
    every value.
    """
    run, by = value.outcomes[0], compared.all.by
    cell = next(candidate for candidate in compared.request.cells if candidate.label == value.label)
    theory = next(
        (run.theory for run in compared.runs.get(value.label, ()) if run.theory is not None), None
    )
    tuning = (
        None
        if cell.tuning is None
        else [{"rate": rate, "mean": mean} for rate, mean in cell.tuning.tried]
    )
    return {
        "label": value.label,
        "axes": dict(cell.coordinates),
        "rank": value.rank,
        "standing": value.standing,
        "seeds": [outcome.seed for outcome in value.outcomes],
        "layers": list(cell.config.model.layers),
        "learning_rate": cell.config.training.resolved_lr,
        "tuning": tuning,
        "updates": run.updates,
        "parameters": run.parameters,
        "step_seconds": value.step_seconds,
        "metrics": {name: _interval(metric) for name, metric in value.metrics.items()},
        "per_seed": [outcome.last_of(by) for outcome in value.outcomes],
        "steps_to_target": {**_interval(value.steps_to_target, "median"), "reached": value.reached},
        "diverged": {
            "runs": value.diverged,
            "share": value.diverged / len(value.outcomes),
            "low": value.diverged_low,
            "high": value.diverged_high,
        },
        **states_record(seeds.diagnoses.get(value.label, ())),
        "healed": list(seeds.healed.get(value.label, ())),
        "because": value.because,
        "first_loss": value.first(f"{by.partition('_')[0]}_loss"),
        "dead_fraction": value.middle("dead"),
        "saturated_fraction": value.middle("saturated"),
        "initial": {**_health_record(value.start), "theory": _theory_record(theory)},
        "final": _health_record(value.end),
        "curve": {"steps": [int(step) for step in curve[0]], "median": list(curve[1])},
    }


def _health_record(health: Health) -> dict[str, Any]:
    flow = health.flow
    return {
        "verdict": health.verdict or None,
        "counts": dict(health.counts),
        "activation_variance": flow.activation_variance.tolist(),
        "error_signal_rms": flow.error_signal_rms.tolist(),
        "gradient_rms": flow.gradient_rms[:-1].tolist(),
        "output_gradient_rms": float(flow.gradient_rms[-1]) if len(flow.gradient_rms) else math.nan,
    }


def _theory_record(theory: Prediction | None) -> dict[str, Any] | None:
    if theory is None or not theory.applicable:
        return None
    return {
        "activation_variance": list(theory.activation_variance),
        "error_signal_rms_relative": list(theory.error_signal_rms_relative),
    }


def _interval(interval: Interval, name: str = "median") -> dict[str, float]:
    return {name: interval.value, "low": interval.low, "high": interval.high}


def _pair_record(pair: Pair) -> dict[str, Any]:
    effect = _interval(pair.effect, "effect")
    return {
        "a": pair.a,
        "b": pair.b,
        **effect,
        "p": pair.p,
        "p_adjusted": pair.p_adjusted,
        "different": pair.different,
        "seeds": pair.seeds,
    }
