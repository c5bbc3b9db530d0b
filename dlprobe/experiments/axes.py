"""What can be compared: short names for what people compare most, and every key of the
configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from dlprobe import registry
from dlprobe.config import RunConfig, fields, to_mapping, with_values
from dlprobe.dataclass import dataclass
from dlprobe.errors import ConfigError

NOT_AXES = {
    "seed": "seeds are what each value is repeated over: --seeds N",
    "data_seed": "the split is shared: --vary-data gives every seed its own",
}
NO_AXES = ("threads", "checkpoint_every")
# one value of these has commas
WHOLE = ("layers", "split", "class_weights", "track_unit", "columns", "drop")
# name -> (key, the strength that is meant where none is given)
REGULARIZERS = {
    "l1": ("training.l1", "1e-4"),
    "l2": ("training.l2", "1e-3"),
    "activity_l1": ("training.activity_l1", "1e-3"),
    "activity_l2": ("training.activity_l2", "1e-3"),
    "orthogonal": ("training.orthogonal_penalty", "1e-3"),
    "max_norm": ("training.max_norm", "3"),
    "dropout": ("model.dropout", "0.2"),
    "input_dropout": ("model.input_dropout", "0.1"),
    "drop_connect": ("model.drop_connect", "0.2"),
    "noise": ("model.noise", "0.1"),
    "input_noise": ("model.input_noise", "0.1"),
    "label_smoothing": ("training.label_smoothing", "0.1"),
    "mixup": ("training.mixup", "0.2"),
}
CLIPPINGS = {
    "value": ("training.clip_value", "0.5"),
    "layer_norm": ("training.clip_layer_norm", "1"),
    "global_norm": ("training.clip_global_norm", "1"),
}
OFF = {
    "training.max_norm": "none",
    "training.clip_value": "none",
    "training.clip_layer_norm": "none",
    "training.clip_global_norm": "none",
}
DEFAULT_WIDTH = 100


@dataclass(frozen=True)
class Axis:
    """Something that can be compared. `apply` gives the configuration with a value; `label` how
    that value is called, one name per value.

    defaults: its usual values beside a configuration, for so many training rows. place: the key
        that it stands for; "" for a choice among several keys.
    """

    name: str
    defaults: Callable[[RunConfig, int], Sequence[str]]
    apply: Callable[[RunConfig, str], RunConfig]
    label: Callable[[RunConfig, str], str]
    whole: bool = False
    place: str = ""


def axis_of(name: str, command: str = "compare") -> Axis:
    """The axis that a name means, a short name or a key as `key` or `table.key`. Raises
    ConfigError that says which command's help has the list.
    """
    tidy = registry.tidied(name)
    for axis in SHORT.values():
        if tidy and tidy in (axis.name, axis.place, axis.place.partition(".")[2]):
            return axis
    table, _, key = tidy.rpartition(".")
    if key in NOT_AXES:
        raise ConfigError(f"{name} cannot be compared: {NOT_AXES[key]}")
    known = {field.key: field for field in fields() if field.key not in (*NO_AXES, *NOT_AXES)}
    if key not in known or table not in ("", known[key].table):
        for field in known.values():
            records = registry.records(field.kind) if field.kind else {}
            if tidy in records:
                other = next(record for record in records if record != tidy)
                raise ConfigError(
                    f"{name!r} is no axis but a value of {field.key}: write {field.key}=A,B, e.g. "
                    f"{field.key}={name},{other}"
                )
        raise ConfigError(
            registry.unknown(
                "axis",
                name[:60],
                dict.fromkeys([*SHORT, *known]),
                f"those that dlprobe {command} --help shows",
            )
        )
    return key_axis(key, f"{known[key].table}.{key}", known[key].choices)


def named(base: RunConfig, axis: Axis, value: str) -> str:
    """How a value is called. Raises ConfigError, with what to type where the value is an axis
    itself.
    """
    try:
        return axis.label(base, value)
    except ConfigError:
        if registry.tidied(value) in SHORT:
            raise ConfigError(
                f"{value!r} is no value of {axis.name} but an axis: for several write "
                f"AXIS=A,B, e.g. {axis.name}=A,B {value}=C,D"
            ) from None
        raise


def key_axis(name: str, place: str, defaults: Sequence[str]) -> Axis:
    """A key of the configuration; its values are called as the configuration writes them."""
    table, _, key = place.partition(".")

    def label(config: RunConfig, value: str) -> str:
        written = to_mapping(with_values(config, {place: value}), whole=True)[table][key]
        if isinstance(written, list):
            return ",".join(map(str, written))
        if written is True:
            return "yes"
        if written is False:
            return "no"
        return str(written)

    return Axis(
        name,
        lambda config, rows: defaults,
        lambda config, value: with_values(config, {place: value}),
        label,
        key in WHOLE,
        place,
    )


def strengths_axis(
    name: str, places: Mapping[str, tuple[str, str]], defaults: Sequence[str]
) -> Axis:
    """A choice among several keys that exclude each other: `none`, `l2`, `l2(0.01)`, or some of
    them joined by +.
    """
    pattern = re.compile(r"([a-z][a-z0-9_-]*)(?:\(([^()]*)\))?")

    def strength(text: str, typed: str) -> str:
        try:
            return str(float(typed))
        except ValueError:
            raise ConfigError(
                f"{name} {text!r}: {typed!r} is no number: expected a strength, e.g. "
                f"{next(iter(places))}(0.01)"
            ) from None

    def values(text: str) -> dict[str, str]:
        off = {place: OFF.get(place, "0") for place, _ in places.values()}
        for part in re.split(r"\+(?![0-9])", text.replace(" ", "").lower()):  # not the + of 1e+3
            matched = pattern.fullmatch(part)
            if part == "none":
                continue
            chosen = matched[1].replace("-", "_") if matched else ""
            if matched is None or chosen not in places:
                raise ConfigError(
                    f"{name} {text!r}: expected none or among {', '.join(places)}, each alone "
                    f"or as {next(iter(places))}(STRENGTH)"
                )
            off[places[chosen][0]] = strength(text, matched[2]) if matched[2] else places[chosen][1]
        return off

    def label(config: RunConfig, value: str) -> str:
        named = {place: known for known, (place, _) in places.items()}
        chosen = {
            named[place]: strength
            for place, strength in values(value).items()
            if strength != OFF.get(place, "0")
        }
        return (
            "+".join(f"{known}({float(strength):g})" for known, strength in chosen.items())
            or "none"
        )

    return Axis(
        name,
        lambda config, rows: defaults,
        lambda config, value: with_values(config, values(value)),
        label,
    )


def depth_axis() -> Axis:
    def apply(config: RunConfig, value: str) -> RunConfig:
        return with_layers(
            config,
            config.model.layers[0] if config.model.layers else DEFAULT_WIDTH,
            whole("depth:", value, 0),
        )

    return Axis(
        "depth",
        lambda config, rows: ("1", "2", "4", "8"),
        apply,
        lambda config, value: str(whole("depth:", value, 0)),
    )


def width_axis() -> Axis:
    def apply(config: RunConfig, value: str) -> RunConfig:
        return with_layers(config, whole("width:", value, 1), max(len(config.model.layers), 1))

    return Axis(
        "width",
        lambda config, rows: ("25", "50", "100", "200"),
        apply,
        lambda config, value: str(whole("width:", value, 1)),
    )


def with_layers(config: RunConfig, width: int, depth: int) -> RunConfig:
    """The configuration with hidden layers of one width; none at depth 0."""
    return with_values(config, {"model.layers": f"{width}x{depth}" if depth else ""})


def norm_position_axis() -> Axis:
    usual = key_axis("norm_position", "model.norm_position", ("before", "after"))

    def apply(config: RunConfig, value: str) -> RunConfig:
        if config.model.norm is None:
            raise ConfigError(
                "norm-position compares where a norm stands, and there is none: give one, "
                "e.g. --norm batch"
            )
        return usual.apply(config, value)

    return replace(usual, apply=apply)


def rate_axis() -> Axis:
    usual = key_axis("learning_rate", "training.lr", ())
    return replace(
        usual,
        defaults=lambda config, rows: [
            f"{config.training.resolved_lr * factor:.2g}" for factor in (0.1, 0.3, 1, 3, 10)
        ],
    )


def train_size_axis() -> Axis:
    usual = key_axis("train_size", "data.train_size", ())
    return replace(
        usual,
        defaults=lambda config, rows: [
            *(f"{rows // part}" for part in (8, 4, 2) if rows >= part),
            "all",
        ],
    )


def whole(name: str, text: str, low: int) -> int:
    """A whole number from an axis value. Raises ConfigError that begins with the name."""
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit() and int(plain) >= low):
        raise ConfigError(
            f"{name} {text!r}: expected whole numbers >= {low} with commas, e.g. 1,2,4"
        )
    return int(plain)


def samples(text: str, largest: int) -> int:
    """How many training samples a value of the train-size axis means, at most `largest`: a number
    of them, or percents. Raises ConfigError.

    >>> samples("40", 50), samples("40%", 50)
    (40, 20)
    """
    plain = text.strip().removesuffix("%")
    size = (
        (float(plain) / 100 * largest if "%" in text else float(plain))
        if plain.isascii() and plain.isdigit()
        else 0.0
    )
    if not (size <= largest and round(size) >= 1):
        raise ConfigError(
            f"train-size: {text!r}: expected samples from 1 to {largest}, or percents like 20%"
        )
    return round(size)


SHORT: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        key_axis(
            "init", "model.init", ("glorot_normal", "he_normal", "lecun_normal", "orthogonal")
        ),
        key_axis("activation", "model.activation", ("relu", "tanh", "sigmoid", "elu", "gelu")),
        key_axis("optimizer", "training.optimizer", ("sgd", "momentum", "rmsprop", "adam")),
        key_axis("norm", "model.norm", ("none", "batch", "layer")),
        norm_position_axis(),
        strengths_axis("regularizer", REGULARIZERS, ("none", "l1", "l2")),
        key_axis("dropout", "model.dropout", ("0", "0.1", "0.3", "0.5")),
        key_axis(
            "schedule", "training.schedule", ("constant", "cosine", "exponential", "inverse_time")
        ),
        rate_axis(),
        key_axis("batch_size", "training.batch_size", ("8", "32", "128")),
        depth_axis(),
        width_axis(),
        key_axis("residual", "model.residual", ("none", "identity")),
        strengths_axis("clipping", CLIPPINGS, ("none", "value", "global_norm")),
        key_axis("scaling", "data.scaling", ("none", "standardize", "minmax", "robust")),
        key_axis("target_scaling", "data.target_scaling", ("none", "standardize", "minmax")),
        train_size_axis(),
    )
}
