"""What was trained, how, and how it ended: the lines of facts on a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.config import to_mapping
from dlprobe.record.description import ORIGINS, OWN, known_facts
from dlprobe.registry import counted
from dlprobe.render.document import Toned
from dlprobe.reports.tones import STATUS_TONES

if TYPE_CHECKING:
    from dlprobe.runs import Run


PARTS = {"train": "training", "val": "validation", "test": "test"}


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
    if "task" not in run.data:
        return "not in the file"
    sizes = " + ".join(
        f"{part_size(run, part)} {word}" for part, word in PARTS.items() if part_size(run, part)
    )
    told = f"{run.data['task']}: {sizes}"
    if name := run.data.get("name"):
        return f"{name}, {told}"
    return told if "x_train" in run.data else f"{told}; its arrays are not in the file"


def targets_line(run: Run) -> list[tuple[str, str]]:
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
    """Number of updates made; where the file does not say, the last recorded step, plus 1 for a run
    that finished.
    """
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
