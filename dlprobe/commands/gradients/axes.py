"""The axes of the grid as they are typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlprobe.errors import ConfigError

if TYPE_CHECKING:
    from dlprobe.config import RunConfig
    from dlprobe.experiments.grid_cells import Axes

# these have options of their own
OWN_AXES = ("depth", "width", "layers", "activation", "init", "norm")


def read_axes(
    depth: Sequence[str] | None,
    width: Sequence[str] | None,
    others: Sequence[str] | None,
    options: dict[str, str | None],
) -> Axes:
    """The grid's axes; activation, init, norm, residual and dropout are taken out of the
    configuration's options. Raises ConfigError.
    """
    from dlprobe.config import split_list
    from dlprobe.experiments.grid_cells import Axes

    def texts(key: str) -> list[str] | None:
        typed = options.pop(key)
        return None if typed is None else split_list(typed)

    further = {
        name: values for name in ("residual", "dropout") if (values := texts(name)) is not None
    }
    for text in others or ():
        name, values = read_axis(text)
        if name in further:
            raise ConfigError(
                f"--axis {text!r}: {name} is given already: give all its values at once"
            )
        further[name] = values
    return Axes(
        whole_numbers("depth", depth),
        whole_numbers("width", width),
        texts("activation"),
        texts("init"),
        texts("norm"),
        further,
    )


def read_axis(text: str) -> tuple[str, list[str]]:
    """A further axis and its values. Raises ConfigError."""
    from dlprobe.config import split_list
    from dlprobe.experiments.axes import axis_of

    name, equals, values = text.partition("=")
    if not equals or not values.strip():
        raise ConfigError(f"--axis {text!r}: expected KEY=VALUE,VALUE, e.g. --axis bias=yes,no")
    axis = axis_of(name)
    if axis.name in OWN_AXES:
        raise ConfigError(f"--axis {text!r}: expected --{axis.name} {values}")
    return axis.name, [values] if axis.whole else split_list(values)


def axes_of(base: RunConfig, axes: Axes) -> Axes:
    """Where a file gives the configuration, its width, activation, initializer and norm stand
    for the axes that no option names.
    """
    from dlprobe.experiments.grid_cells import Axes

    model = base.model
    return Axes(
        axes.depths,
        axes.widths or list(dict.fromkeys(model.layers)) or None,
        axes.activations or list(dict.fromkeys(str(spec) for spec in model.activations)) or None,
        axes.inits or [str(model.init or "auto")],
        axes.norms or [str(model.norm or "none")],
        axes.others,
    )


def whole_numbers(name: str, typed: Sequence[str] | None) -> list[int] | None:
    """A list of positive whole numbers from texts with commas. Raises ConfigError."""
    from dlprobe.experiments.axes import whole

    parts = None if typed is None else [part.strip() for text in typed for part in text.split(",")]
    if parts is None:
        return None
    return list(dict.fromkeys(whole(f"--{name}", part, 1) for part in parts))
