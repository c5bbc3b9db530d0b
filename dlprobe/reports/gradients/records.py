"""The grid as data: what `--format json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.reports.diagnosis import states_record
from dlprobe.reports.gradients.grid import place
from dlprobe.reports.gradients.pictures import decay_band

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.depth_choice import DepthChoice
    from dlprobe.analysis.profiles.depth_profiles import SeedRange
    from dlprobe.analysis.profiles.development import Development
    from dlprobe.analysis.profiles.gradient_cells import CellResult, Moment
    from dlprobe.experiments.gradients import GridResult
    from dlprobe.experiments.grid_cells import GridCell
    from dlprobe.rules import Diagnosis


def record(cell: GridCell, result: CellResult, diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """One cell of the JSON record. diagnoses: of its runs, the one that learned least first."""
    final = moment_record(result.final) | {
        "train_loss": result.train_loss.median,
        "train_accuracy": result.train_accuracy.median,
        "val_accuracy": result.val_accuracy.median,
    }
    initial = moment_record(result.initial)
    band = result.prediction.log10_error_signal_ratio
    theory = {
        "value": band.value,
        "low": band.low,
        "high": band.high,
        "decay_factor": result.prediction.decay_factor,
        "decay_factor_low": decay_band(result)[0],
        "decay_factor_high": decay_band(result)[1],
        "e_folding_depth": result.prediction.e_folding_depth,
        "applicable": result.prediction.applicable,
        "reason": result.prediction.reason,
        "assumptions": list(result.prediction.assumptions),
    }
    initial["log10_error_signal_ratio"]["theory"] = theory
    return {
        "depth": cell.depth,
        **place(cell),
        "seeds": list(result.seeds),
        "initial": initial,
        "final": final,
        "skill": result.skill.median,
        **states_record(diagnoses),
        "development": development_record(result.development),
        "verdict": result.verdict,
        "reason": result.reason,
    }


def choice_record(choice: DepthChoice) -> dict[str, Any]:
    """What to use at a depth."""
    chosen, best = choice.use, choice.best
    known = (
        {"use": None, "score": None, "learned": 0}
        if chosen is None
        else {"use": chosen.label, "score": chosen.score, "learned": chosen.learned}
    )
    return {
        "depth": choice.depth,
        **known,
        "seeds": len(best.scores),
        "best": best.label,
        "best_score": best.score,
        "alike": list(choice.alike),
        "failing": list(choice.failing),
    }


def development_record(development: Development) -> dict[str, Any]:
    return {
        "steps": [int(step) for step in development.steps],
        "log10_error_signal_ratio": development.ratios.tolist(),
        "healed": {"seeds": development.healed.seeds, "step": development.healed.step},
        "relapsed": {"seeds": development.relapsed.seeds, "step": development.relapsed.step},
    }


def moment_record(moment: Moment) -> dict[str, Any]:
    """Profiles of a cell at one moment; arrays run over hidden_1 … hidden_n, factors over the
    pairs of neighbours.
    """
    return {
        "log10_error_signal_ratio": range_record(moment.log10_error_signal_ratio),
        "decay_factor": moment.decay_factor,
        "e_folding_depth": moment.e_folding_depth,
        "activation_variance": moment.flow.activation_variance.tolist(),
        "activation_sample_variance": moment.activation_sample_variance.tolist(),
        "error_signal_rms": moment.flow.error_signal_rms.tolist(),
        "gradient_rms": moment.flow.gradient_rms[:-1].tolist(),
        "output_gradient_rms": float(moment.flow.gradient_rms[-1]),
        "slope_factor": [float(v) for v in moment.slope_factor],
        "weight_factor": [float(v) for v in moment.weight_factor],
        "backward_ratio": [float(v) for v in moment.backward_ratio],
        "forward_ratio": [float(v) for v in moment.forward_ratio],
        "because": moment.because,
        "verdict": moment.verdict.verdict,
        "band": moment.verdict.band,
    }


def range_record(values: SeedRange) -> dict[str, Any]:
    return {
        "median": values.median,
        "low": values.low,
        "high": values.high,
        "missing_seeds": values.missing,
    }


def trainable_records(experiment: GridResult) -> list[dict[str, Any]]:
    """The trainable depth of each row of the grid."""
    return [
        {
            "label": label,
            "width": width,
            "theory": depths.theory,
            "xi_c": depths.xi_c,
            "measured": depths.measured,
            "fails_at": depths.fails_at,
        }
        for (label, width), depths in experiment.trainable.items()
    ]
