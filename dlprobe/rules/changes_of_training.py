"""Remedies that change how a net is trained. Each takes what the run has, says its numbers, and
starts its dose there; None where it does not apply.
"""

from __future__ import annotations

import math

import numpy as np

from dlprobe.config.records import RunConfig
from dlprobe.rules.evidence import Evidence, Floats
from dlprobe.rules.outcome import NotEvaluableError, Remedy

# distance that weights would go on a straight way, as a share of their norm, at rates that learn;
# on the real one they go some 0.4
ENOUGH = 2.0
# times the usual rate up to which plain descent is raised: its usual rate is a careful one
ROUGH = 10.0


def short(number: float) -> str:
    """A number as it is typed, to two digits.

    >>> short(0.00123)
    '0.0012'
    """
    return f"{float(f'{number:.2g}'):g}"


def usual_rate(config: RunConfig) -> float:
    """The usual learning rate of the run's optimizer."""
    return float(config.training.optimizer.record.rate)


def lower_rate(evidence: Evidence, config: RunConfig) -> Remedy:
    """The optimizer's usual rate where the run's is more than ten times that, else a tenth."""
    rate = config.training.resolved_lr
    new = usual_rate(config) if rate > 10 * usual_rate(config) else rate / 10
    return Remedy(
        {"training.lr": short(new)},
        f"a learning rate of {short(new)} in place of {rate:g}{because(_pace(evidence))}",
    )


def raise_rate(evidence: Evidence, config: RunConfig) -> Remedy:
    """As many times the rate as the weights should have gone further, at least three, to one digit;
    not beyond the optimizer's usual rate, of plain descent ten times that, unless the run is there
    already.
    """
    rate, moved, usual = config.training.resolved_lr, furthest(evidence), usual_rate(config)
    if rate <= 0:
        return Remedy({"training.lr": "auto"}, f"a learning rate of {usual:g} in place of 0")
    factor = max(ENOUGH / moved, 3.0) if moved > 0 else 10.0
    new = float(f"{rate * factor:.1g}")
    limit = usual if config.training.optimizer.record.states else ROUGH * usual
    new = min(new, limit) if rate < limit else 3 * rate
    told = (
        (
            f"the layer that moved most went {moved:.2g} of its norm in "
            f"{evidence.learning.updates} updates"
        )
        if moved > 0
        else ""
    )
    return Remedy(
        {"training.lr": f"{new:g}"},
        f"a learning rate of {new:g} in place of {rate:g}{because(told)}",
    )


def usual_step(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The optimizer's usual rate, in place of a smaller one."""
    rate, usual = config.training.resolved_lr, usual_rate(config)
    if rate < usual:
        return Remedy(
            {"training.lr": "auto"}, f"the usual learning rate of {usual:g} in place of {rate:g}"
        )
    return None


def furthest(evidence: Evidence) -> float:
    """Largest ‖W_t − W_0‖/‖W_0‖ over layers at the last evaluation; where it was not evaluated,
    updates times the mean ratio of update to weights, an upper bound. NaN where neither is known.
    """
    known = distance(evidence)
    if not math.isnan(known) or not evidence.run.is_recorded("update_ratio"):
        return known
    updates = evidence.series("update_ratio").mean
    return _largest(
        evidence.learning.updates * updates[np.isfinite(updates).all(axis=1)].mean(axis=0)
    )


def distance(evidence: Evidence) -> float:
    """Largest ‖W_t − W_0‖/‖W_0‖ over layers at the last evaluation; NaN where it is not known."""
    distances = evidence.run.evaluation_layers.get("weight_distance")
    if distances is None or not len(distances):
        return math.nan
    return _largest(np.asarray(distances[-1], np.float64))


def _largest(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else math.nan


def usual_optimizer(evidence: Evidence, config: RunConfig) -> Remedy | None:
    training = config.training
    if str(training.optimizer).startswith("adam") and training.resolved_lr == usual_rate(config):
        return None
    had = f"{training.optimizer} at {training.resolved_lr:g}"
    return Remedy(
        {"training.optimizer": "adam", "training.lr": "auto"},
        f"Adam at 0.001, which sizes the step of every weight, in place of {had}",
    )


def longer(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """Four times as long, where the loss was still falling."""
    loss, training = evidence.learning.loss, config.training
    middle = len(loss) // 2
    if len(loss) < 3 or not loss[-1] < loss[middle]:
        return None
    key, count = (
        ("steps", training.steps) if training.steps is not None else ("epochs", training.epochs)
    )
    fell = (
        f"{evidence.learning.loss_name} still fell from {loss[middle]:.3g} to {loss[-1]:.3g} in "
        "the second half"
    )
    return Remedy(
        {f"training.{key}": str(4 * (count or 1))},
        f"{4 * (count or 1)} {key} in place of {count}: {fell}",
    )


def usual_batch(evidence: Evidence, config: RunConfig) -> Remedy:
    size = config.training.batch_size
    return Remedy(
        {"training.batch_size": "32"},
        f"batches of 32 in place of {size}: more than the {evidence.learning.updates} updates "
        "that the run made",
    )


def larger_batch(evidence: Evidence, config: RunConfig) -> Remedy | None:
    size = config.training.batch_size
    samples = len(evidence.run.data.get("train_indices", ())) or math.inf
    if size == "full" or int(size) >= samples:
        return None
    wanted = int(min(max(8 * int(size), 32), samples))
    noise = f"the noise of the gradient falls to {math.sqrt(int(size) / wanted):.0%}"
    return Remedy(
        {"training.batch_size": str(wanted)}, f"batches of {wanted} in place of {size}: {noise}"
    )


def constant_schedule(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The rate as it was at first, where a schedule raised it."""
    if not len(evidence.run.steps) or not evidence.run.is_recorded("learning_rate"):
        return None
    rates = evidence.scalar("learning_rate")
    first, highest = float(rates[0]), float(np.nanmax(rates))
    if not highest > 2 * first:
        return None
    told = f"the rate went from {first:g} to {highest:g}"
    return Remedy(
        {"training.schedule": "constant", "training.warmup": "0"},
        f"a constant rate in place of {config.training.schedule}: {told}",
    )


def full_rate(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The rate as it was at its highest, to the end."""
    if str(config.training.schedule) == "constant" and not config.training.warmup:
        return None
    return Remedy(
        {"training.schedule": "constant", "training.warmup": "0"},
        f"a constant rate of {config.training.resolved_lr:g} in place of "
        f"{config.training.schedule}",
    )


def warmup(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """A rise of the rate over a tenth of the run, where it has none."""
    steps = max(evidence.learning.updates // 10, 10)
    if config.training.warmup >= steps:
        return None
    rate = config.training.resolved_lr
    return Remedy(
        {"training.warmup": str(steps)},
        f"a rate that rises to {rate:g} over {steps} steps in place of "
        f"{config.training.warmup}{because(_pace(evidence))}",
    )


def clipped_to(evidence: Evidence) -> float:
    """The share of the gradient's norm that clipping typically leaves, a median over the recorded
    steps; NaN where it is not known.
    """
    if not evidence.run.is_recorded("clip_scale"):
        return math.nan
    scales = evidence.scalar("clip_scale")
    scales = scales[np.isfinite(scales)]
    return float(np.median(scales)) if len(scales) else math.nan


def clipping_told(evidence: Evidence) -> str:
    """`clipping, which leaves 0.01 of …`; empty where it leaves all, or what is not known."""
    left = clipped_to(evidence)
    if not left < 1.0:
        return ""
    return f"clipping, which leaves {left:.2g} of the gradient's norm in a typical step"


def no_clip(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The run without a bound of the gradient's norm, where there is one that binds."""
    told = clipping_told(evidence)
    if config.training.clip_global_norm is None or not told:
        return None
    return Remedy({"training.clip_global_norm": "none"}, f"no {told}")


def clip(evidence: Evidence, config: RunConfig) -> Remedy | None:
    """The typical norm of the gradient as its bound; half of the bound that the run has."""
    has = config.training.clip_global_norm
    norm = (
        evidence.scalar("gradient_norm")[: max(len(evidence.steps) // 2, 1)]
        if evidence.run.is_recorded("gradient_norm")
        else np.empty(0)
    )
    norm = norm[np.isfinite(norm)]
    typical = float(np.median(norm)) if len(norm) else 1.0
    bound = min(typical, has / 2) if has is not None else typical
    if not 0 < bound < math.inf:
        return None
    told = f": it is typically {typical:.2g}, at most {norm.max():.2g}" if len(norm) else ""
    before = f" in place of {has:g}" if has is not None else ""
    return Remedy(
        {"training.clip_global_norm": short(bound)},
        f"the norm of the gradient clipped at {short(bound)}{before}{told}",
    )


def early_stopping(evidence: Evidence, config: RunConfig) -> Remedy | None:
    learned = evidence.learning
    if config.training.early_stopping is not None or np.isnan(learned.val_loss).all():
        return None
    best = learned.best_val
    told = (
        f"val_loss was smallest, {learned.val_loss[best]:.3g}, after {learned.steps[best]} of "
        f"{learned.updates} updates"
    )
    return Remedy(
        {"training.early_stopping": "yes"},
        f"early stopping, which keeps the best parameters: {told}",
    )


def no_early_stopping(evidence: Evidence, config: RunConfig) -> Remedy | None:
    stopping = config.training.early_stopping
    if stopping is None:
        return None
    return Remedy(
        {"training.early_stopping": "none"},
        f"without {stopping}, which ended the run after {evidence.learning.updates} updates",
    )


def patient_stopping(evidence: Evidence, config: RunConfig) -> Remedy | None:
    stopping = config.training.early_stopping
    if stopping is None:
        return None
    patience = max(4 * int(stopping.parameters["patience"]), 10)
    told = (
        f"patience {patience} in place of {stopping.parameters['patience']}, any improvement in "
        f"place of {float(stopping.parameters['min_delta']):g}"
    )
    return Remedy(
        {
            "training.early_stopping": (
                f"early_stopping(patience={patience}, monitor={stopping.parameters['monitor']})"
            )
        },
        told,
    )


def robust_loss(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if evidence.run.data.get("task") != "regression":
        return None
    had = config.training.loss.name if config.training.loss else "the squared error"
    told = f"huber in place of {had}, most of which a few samples have"
    return Remedy({"training.loss": "huber"}, told)


def double(evidence: Evidence, config: RunConfig) -> Remedy:
    return Remedy(
        {"training.dtype": "float64"},
        f"float64 holds numbers down to 1e-308, {config.training.dtype} down to 1e-38",
    )


def decaying_rate(evidence: Evidence, config: RunConfig) -> Remedy | None:
    if str(config.training.schedule) != "constant":
        return None
    rate = config.training.resolved_lr
    return Remedy(
        {"training.schedule": "cosine"},
        f"a rate that falls from {rate:g} to 0: Adam's last steps would be smaller than "
        f"{rate:g} per weight",
    )


def another_start(evidence: Evidence, config: RunConfig) -> Remedy:
    seed = config.training.seed
    told = f"seed {seed} stands at {_size(evidence)}"
    return Remedy(
        {"training.seed": str(seed + 1), "data.data_seed": str(config.resolved_data_seed)},
        f"other initial weights, seed {seed + 1}: {told}",
    )


def _size(evidence: Evidence) -> str:
    learned = evidence.learning
    error = float(learned.error[-1])
    if not math.isfinite(error):
        return f"a loss of {learned.loss[-1]:.4g} in training"
    if learned.task == "regression":
        return f"an error of {error:.4g}"
    return f"{error:.1%} error in training"


def because(told: str) -> str:
    return f": {told}" if told else ""


def _pace(evidence: Evidence) -> str:
    """What shows that steps are long: the typical update of the layer that moves most, or the
    loss.
    """
    try:
        typical = evidence.typical("update_ratio")
        worst = int(np.nanargmax(typical))
        if typical[worst] > 0.0:
            return (
                f"an update typically moves {evidence.names[worst]} by {typical[worst]:.2g} of "
                "its weights"
            )
    except (NotEvaluableError, ValueError):
        pass
    try:
        loss = evidence.learning.loss
    except NotEvaluableError:
        return ""
    return f"the loss went from {loss[0]:.3g} to {loss[-1]:.3g}"


def gap_told(evidence: Evidence) -> str:
    learned = evidence.learning
    if not learned.validated:
        return ""
    known, new = math.isfinite(learned.skill[-1]), learned.val_skill[-1]
    if learned.task == "regression":
        training = f"{learned.skill[-1]:.2f} in training and " if known else ""
        return f"R² is {training}{new:.2f} on new samples"
    training = f"{learned.error[-1]:.1%} error in training, " if known else "an error of "
    return f"{training}{learned.val_error[-1]:.1%} on new samples"


def fit_told(evidence: Evidence) -> str:
    try:
        return _size(evidence)
    except NotEvaluableError:
        return ""
