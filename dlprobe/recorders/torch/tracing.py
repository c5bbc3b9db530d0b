"""The discovery step: while the model runs once, what is done to each layer's output until the next
layer takes it, whoever calls it.

Module hooks see neither functional activations nor residual sums, and the next layer's input is
already after dropout. This sees every call of a torch function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import field
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from dlprobe.dataclass import dataclass

SAME = {  # the numbers stay what they are
    *(
        "view",
        "reshape",
        "flatten",
        "transpose",
        "permute",
        "contiguous",
        "unsqueeze",
        "squeeze",
        "movedim",
        "to",
        "float",
        "half",
        "bfloat16",
        "double",
    ),
    *(
        "clone",
        "view_as",
        "reshape_as",
        "type",
        "type_as",
        "unflatten",
        "swapaxes",
        "cpu",
        "cuda",
        "identity",
        "requires_grad_",
    ),
}
DROPOUTS = {
    "dropout",
    "dropout_",
    "alpha_dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "native_dropout",
}
NORMS = {
    "batch_norm": "batch",
    "layer_norm": "layer",
    "group_norm": "group",
    "rms_norm": "rms",
    "instance_norm": "instance",
}
PRODUCTS = {"linear", "conv1d", "conv2d", "conv3d", "embedding"}
SUMS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
# of the tensor's properties
QUIET = {
    "__get__",
    "dim",
    "size",
    "__len__",
    "numel",
    "is_floating_point",
    "stride",
    "is_contiguous",
    "__set__",
}


def _option(
    args: Sequence[Any], kwargs: dict[str, Any], place: int, name: str, default: Any
) -> Any:
    return kwargs.get(name, args[place] if len(args) > place else default)


def _plain(name: str) -> Callable[..., str | None]:
    return lambda args, kwargs: name


def _last_axis(name: str) -> Callable[..., str | None]:
    def named(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
        axis = _option(args, kwargs, 1, "dim", -1)
        return name if axis in (-1, args[0].dim() - 1) else None

    return named


def _clamp(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    low, high = _option(args, kwargs, 1, "min", None), _option(args, kwargs, 2, "max", None)
    return {(0, None): "relu", (0, 6): "relu6", (-1, 1): "hard_tanh"}.get((low, high))


def _softplus(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    return "softplus" if _option(args, kwargs, 1, "beta", 1.0) == 1 else None


def _hard_tanh(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    return {(-1, 1): "hard_tanh", (0, 6): "relu6"}.get(
        (_option(args, kwargs, 1, "min_val", -1.0), _option(args, kwargs, 2, "max_val", 1.0))
    )


def _threshold(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    return (
        f"threshold(threshold={float(_option(args, kwargs, 1, 'threshold', 0.0))}, "
        f"value={float(_option(args, kwargs, 2, 'value', 0.0))})"
    )


def _prelu(args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
    return f"prelu(shared={'yes' if args[1].numel() == 1 else 'no'})"


# PyTorch's name of a function -> dlprobe's of the activation, or None where it has parameters that
# dlprobe has no name for
ACTIVATIONS: dict[str, Callable[..., str | None]] = {
    **{
        name: _plain(name)
        for name in ("relu", "relu6", "selu", "sigmoid", "tanh", "softsign", "silu", "mish", "erf")
    },
    **{f"{name}_": _plain(name) for name in ("relu", "selu", "sigmoid", "tanh", "silu")},
    **{
        torch_name: _plain(own)
        for torch_name, own in {
            "hardsigmoid": "hard_sigmoid",
            "hardswish": "hard_silu",
            "tanhshrink": "tanh_shrink",
        }.items()
    },
    "logsigmoid": _plain("log_sigmoid"),
    "log_sigmoid": _plain("log_sigmoid"),
    "leaky_relu": lambda args, kwargs: (
        f"leaky_relu(slope={_option(args, kwargs, 1, 'negative_slope', 0.01)})"
    ),
    "elu": lambda args, kwargs: f"elu(alpha={float(_option(args, kwargs, 1, 'alpha', 1.0))})",
    "celu": lambda args, kwargs: f"celu(alpha={float(_option(args, kwargs, 1, 'alpha', 1.0))})",
    "gelu": lambda args, kwargs: (
        f"gelu(approximate={'yes' if kwargs.get('approximate', 'none') == 'tanh' else 'no'})"
    ),
    "hardshrink": lambda args, kwargs: (
        f"hard_shrink(threshold={_option(args, kwargs, 1, 'lambd', 0.5)})"
    ),
    "softshrink": lambda args, kwargs: (
        f"soft_shrink(threshold={_option(args, kwargs, 1, 'lambd', 0.5)})"
    ),
    "threshold": _threshold,
    "_threshold": _threshold,
    "hardtanh": _hard_tanh,
    "softplus": _softplus,
    "clamp": _clamp,
    "clamp_": _clamp,
    "clamp_min": _clamp,
    "clamp_min_": _clamp,
    "softmax": _last_axis("softmax"),
    "log_softmax": _last_axis("log_softmax"),
    "prelu": _prelu,
}


@dataclass(frozen=True)
class Operation:
    """What was done to a layer's output. kind: activation, norm, dropout, sum or other; name:
    dlprobe's name of it where there is one.

    again: the activation as a function of its argument alone. rate: of a dropout.
    """

    kind: str
    name: str | None = None
    again: Callable[[torch.Tensor], torch.Tensor] | None = None
    rate: float = 0.0


@dataclass(frozen=True)
class Trail:
    """Where a tensor comes from: the call of a layer, and what was done since."""

    origin: Any
    operations: tuple[Operation, ...] = ()

    def then(self, operation: Operation) -> Trail:
        return Trail(self.origin, (*self.operations, operation))


@dataclass
class Trails:
    """The trail of every tensor of one forward pass, how many functions took it, and the origins
    whose tensor was overwritten. Tensors are kept, so that an id means one tensor. paused: while
    hooks look at tensors themselves.
    """

    known: dict[int, tuple[torch.Tensor, Trail]] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)
    overwritten: set[Any] = field(default_factory=set)
    paused: bool = False

    def of(self, tensor: Any) -> Trail | None:
        found = self.known.get(id(tensor))
        return None if found is None else found[1]

    def begin(self, tensor: torch.Tensor, origin: Any) -> None:
        self.known[id(tensor)] = (tensor, Trail(origin))

    def note(self, tensor: torch.Tensor, trail: Trail) -> None:
        self.known[id(tensor)] = (tensor, trail)


class Watching(TorchFunctionMode):
    """Follows trails through every torch function; changes nothing."""

    def __init__(
        self,
        trails: Trails,
        own: Set[int],
        unregistered: list[tuple[int, ...]],
        fail: Callable[[Exception], None],
    ) -> None:
        """own: ids of the model's parameters; unregistered: gets the shapes of weights that are
        parameters of no module of the model.
        """
        super().__init__()
        self._trails, self._fail = trails, fail
        self._own, self._unregistered = set(own), unregistered

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in QUIET or self._trails.paused:
            return func(*args, **kwargs)
        before = [(each, self._trails.of(each)) for each in _tensors((args, kwargs))]
        if name in PRODUCTS:
            self._note_strangers([each for each, _ in before])
        again = _again(func, args, kwargs) if name in ACTIVATIONS else None
        for tensor, trail in before:
            if trail is not None:
                self._trails.uses[id(tensor)] = self._trails.uses.get(id(tensor), 0) + 1
        result = func(*args, **kwargs)
        try:
            self._follow(name, before, args, kwargs, again, result)
        except Exception as error:
            self._fail(error)
        return result

    def _note_strangers(self, tensors: list[torch.Tensor]) -> None:
        for each in tensors:
            stranger = isinstance(each, torch.nn.Parameter) and id(each) not in self._own
            if stranger and each.requires_grad and each.dim() > 1:
                self._own.add(id(each))
                self._unregistered.append(tuple(each.shape))

    def _follow(
        self,
        name: str,
        before: list[tuple[torch.Tensor, Trail | None]],
        args: Any,
        kwargs: Any,
        again: Any,
        result: Any,
    ) -> None:
        made = _tensors(result)
        known = [trail for _, trail in before if trail is not None]
        if not made or not known:
            return
        latest = max(known, key=lambda trail: trail.origin.order)
        if name in SAME:
            after = latest
        elif (
            name in SUMS
            and len(before) == 2
            and not any(isinstance(tensor, torch.nn.Parameter) for tensor, _ in before)
        ):
            after = latest.then(Operation("sum"))
        elif name in DROPOUTS:
            active = bool(_option(args, kwargs, 2, "training", True))
            rate = float(_option(args, kwargs, 1, "p", 0.5)) if active else 0.0
            after = latest.then(Operation("dropout", rate=rate)) if rate else latest
        elif name in NORMS:
            after = latest.then(Operation("norm", NORMS[name]))
        elif name in ACTIVATIONS:
            after = latest.then(Operation("activation", ACTIVATIONS[name](args, kwargs), again))
        elif name == "rrelu":
            after = latest.then(Operation("activation", "rrelu"))
        else:
            after = latest.then(Operation("other", name))
        for tensor in made:
            if any(tensor is given for given, _ in before) and name not in SAME:
                self._trails.overwritten.add(latest.origin.place)
            self._trails.note(tensor, after)


def _again(func: Any, args: Any, kwargs: Any) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The same call of another argument; not in place."""
    rest, options = (
        args[1:],
        {
            key: value
            for key, value in kwargs.items()
            if key not in ("inplace", "input", "_stacklevel")
        },
    )
    name = func.__name__.strip("_")
    if name == "prelu":  # channels are the last axis here
        weight = args[1]
        return lambda z: torch.where(z > 0, z, weight * z)
    name = {"log_sigmoid": "logsigmoid"}.get(name, name)
    plain = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    if plain is None:
        return None
    if "inplace" not in kwargs and rest and isinstance(rest[-1], bool):  # F.relu(z, True)
        rest = rest[:-1]
    return lambda z: plain(z, *rest, **options)


def _tensors(value: Any) -> list[torch.Tensor]:
    """The tensors in arguments or results."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = tuple(value.values())
    return (
        [tensor for each in value for tensor in _tensors(each)]
        if isinstance(value, list | tuple)
        else []
    )
