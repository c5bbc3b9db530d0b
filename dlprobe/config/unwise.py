"""What trains, but hardly as meant: dlprobe studies faulty nets, so these are warnings."""

from __future__ import annotations

from dlprobe.config.records import RunConfig


def warnings_for(config: RunConfig) -> list[str]:
    """One line per unwise combination: what was found, what it does, what to choose instead.
    Empty for an ordinary configuration.
    """
    checks = (
        _norm_of_single_samples,
        _norm_of_no_layer,
        _unused_bias_init,
        _identical_units,
        _unfit_outputs,
        _sparse_record,
        _no_histograms,
        _remedies_of_no_layer,
        _proximal_without_l1,
        _two_kinds_of_decay,
    )
    return [warning for check in checks if (warning := check(config)) is not None]


def _norm_of_single_samples(config: RunConfig) -> str | None:
    norm = config.model.norm
    if norm is None or not norm.record.couples_samples or config.training.batch_size != 1:
        return None
    effect = "one sample has variance 0, so every normalized value is the learned shift"
    return f"norm = {norm} with batch_size = 1: {effect}; take a larger batch or norm = layer"


def _norm_of_no_layer(config: RunConfig) -> str | None:
    if config.model.norm is None or config.model.layers:
        return None
    return (
        f"norm = {config.model.norm} without hidden layers has no effect: give layers or "
        "norm = none"
    )


def _unused_bias_init(config: RunConfig) -> str | None:
    if config.model.bias or config.model.bias_init is None:
        return None
    return (
        f"bias_init = {config.model.bias_init} with bias = no has no effect: leave it out or take "
        "bias = yes"
    )


def _identical_units(config: RunConfig) -> str | None:
    init = config.model.resolved_init
    if not config.model.layers or init.record.variance(1000, 1000, *init.parameters.values()) != 0:
        return None
    return (
        f"init = {init} gives every weight the same value: the units of a layer stay identical; "
        "take an initializer that draws weights"
    )


def _unfit_outputs(config: RunConfig) -> str | None:
    loss, output = config.training.loss, config.model.output_activation
    if loss is None or output is None:
        return None
    low, high = output.record.output_range(*output.parameters.values())
    # of a loss for both, the task is only known from the data
    task = "" if "regression" in loss.record.tasks else "classification"
    unmet = loss.record.unmet(low, high, output.record.sums_to_one, task)
    if not unmet:
        return None
    return (
        f"loss = {loss}: {unmet}; output_activation = {output} gives values from {low:g} to "
        f"{high:g}: take {loss.record.output_activation} or auto"
    )


def _sparse_record(config: RunConfig) -> str | None:
    every, steps = config.recording.record_every or 1, config.training.steps
    if steps is None or steps == 1 or every < steps:
        return None
    return (
        f"record_every = {every} with steps = {steps} records step 0 alone: take a smaller "
        "record_every"
    )


def _no_histograms(config: RunConfig) -> str | None:
    recording = config.recording
    wanted = [
        name
        for name, value in (("jacobian", recording.jacobian), ("sharpness", recording.sharpness))
        if value is not None
    ]
    if recording.histogram_every != "never" or not wanted:
        return None
    return (
        f"{' and '.join(wanted)} with histogram_every = never has no effect: it is measured at "
        "each histogram; give histogram_every steps or auto"
    )


def _remedies_of_no_layer(config: RunConfig) -> str | None:
    active = [key for key in ("dropout", "noise") if getattr(config.model, key) > 0]
    if not active or config.model.layers:
        return None
    return (
        f"{active[0]} = {getattr(config.model, active[0]):g} without hidden layers has no effect: "
        f"take input_{active[0]}, or give layers"
    )


def _proximal_without_l1(config: RunConfig) -> str | None:
    if not config.training.l1_proximal or config.training.l1 > 0:
        return None
    return (
        "l1_proximal = yes without l1 has no effect: give l1 a value > 0, or leave l1_proximal out"
    )


def _two_kinds_of_decay(config: RunConfig) -> str | None:
    decay = config.training.weight_decay
    if not decay or config.training.l2 == 0:
        return None
    return (
        f"l2 = {config.training.l2:g} and optimizer = {config.training.optimizer} both pull "
        "weights to zero: one of the two says what is meant"
    )
