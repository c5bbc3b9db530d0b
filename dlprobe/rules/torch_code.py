"""Changes of the configuration as lines of PyTorch. `model` and `optimizer` are those that
`record` got; `x_train`, `x_val` those of `rec.data`.
"""

from __future__ import annotations

from dlprobe.record.frameworks import TORCH_OPTIMIZERS
from dlprobe.registry import Spec
from dlprobe.rules.owner_code import (
    CodeChange,
    class_names,
    class_shares,
    expression,
    for_each,
    number,
    standardized,
)

ACTIVATIONS = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "tanh": "Tanh", "selu": "SELU"}
INITIALIZERS = {  # name -> what is called with a weight
    "he_normal": 'kaiming_normal_({}, nonlinearity="relu")',
    "he_uniform": 'kaiming_uniform_({}, nonlinearity="relu")',
    "glorot_normal": "xavier_normal_({})",
    "glorot_uniform": "xavier_uniform_({})",
    "lecun_normal": 'kaiming_normal_({}, nonlinearity="linear")',
    "lecun_uniform": 'kaiming_uniform_({}, nonlinearity="linear")',
    "orthogonal": "orthogonal_({})",
}
CLASSES = class_names(TORCH_OPTIMIZERS)
ADDED = {"amsgrad": ["amsgrad=True"], "nesterov": ["nesterov=True"]}


def activation(change: CodeChange) -> list[str] | None:
    """Modules are replaced; what `forward` calls as a function is a line for its author."""
    spec = change.after.model.activations[0] if change.hidden else None
    if spec is None or spec.name not in ACTIVATIONS:
        return None
    made = f"torch.nn.{ACTIVATIONS[spec.name]}()"
    named = list(dict.fromkeys(module.activation for module in change.hidden if module.activation))
    called = [module for module in change.hidden if not module.activation]
    lines = for_each(named, lambda module: f"{module} = {made}")
    if called:
        had = ", ".join(
            dict.fromkeys(module.layer.activation or "its activation" for module in called)
        )
        where = f"{called[0].name} … {called[-1].name}" if len(called) > 1 else called[0].name
        lines.append(
            f"# in forward(), behind {where}: torch.nn.functional.{spec.name} in place of {had}"
        )
    return lines


def init(change: CodeChange) -> list[str] | None:
    """Weights are drawn anew, in every layer; with `auto` biases begin at 0, as in dlprobe."""
    call = INITIALIZERS.get(change.after.model.resolved_init.name)
    if call is None:
        return None
    names = [module.name for module in change.modules]
    return [
        *for_each(names, lambda module: f"torch.nn.init.{call.format(f'{module}.weight')}"),
        *zero_biases(change),
    ]


def zero_biases(change: CodeChange) -> list[str]:
    """Bias parameters of 0."""
    return for_each(
        [module.name for module in change.modules if module.has_bias],
        lambda module: f"torch.nn.init.zeros_({module}.bias)",
    )


def bias_init(change: CodeChange) -> list[str] | None:
    return zero_biases(change) if change.after.model.bias_init is None else None


def norm(change: CodeChange) -> list[str] | None:
    """Behind every hidden layer, before its activation."""
    spec = change.after.model.norm
    if (
        spec is None
        or spec.name not in ("batch", "layer")
        or any(module.kind != "Linear" for module in change.hidden)
    ):
        return None
    if spec.name == "batch" and any(module.axes != 2 for module in change.hidden):
        return None
    kind = "BatchNorm1d" if spec.name == "batch" else "LayerNorm"
    lines = for_each(
        [module.name for module in change.hidden],
        lambda module: (
            f"{module} = torch.nn.Sequential({module}, torch.nn.{kind}({module}.out_features))"
        ),
    )
    return ["# before the optimizer is made: the norms have parameters", *lines]


def optimizer(change: CodeChange) -> list[str] | None:
    """The optimizer made anew, with the rate that the change has."""
    spec = change.after.training.optimizer
    if spec.name not in CLASSES:
        return None
    arguments = [
        f"lr={number(change.after.training.resolved_lr)}",
        *_momentum(spec),
        *_decay(change),
        *ADDED.get(spec.name, []),
    ]
    return [
        f"optimizer = torch.optim.{CLASSES[spec.name]}(model.parameters(), {', '.join(arguments)})"
    ]


def rate(change: CodeChange) -> list[str] | None:
    """A new rate alone needs no new optimizer."""
    if change.before.training.optimizer != change.after.training.optimizer:
        return optimizer(change)
    return [
        'for group in optimizer.param_groups:\n    group["lr"] = '
        f"{number(change.after.training.resolved_lr)}"
    ]


def _momentum(spec: Spec) -> list[str]:
    if spec.name in ("momentum", "nesterov"):
        return [f"momentum={number(float(spec.parameters['momentum']))}"]
    return []


def _decay(change: CodeChange) -> list[str]:
    """PyTorch's weight decay is the slope of ½ λ w², dlprobe's penalty is λ w². AdamW decays by
    itself where nothing is said.
    """
    training = change.after.training
    decay = training.weight_decay or 2.0 * training.l2
    unasked = training.optimizer.name == "adamw"
    return [f"weight_decay={number(decay)}"] if decay or unasked else []


def penalty(change: CodeChange) -> list[str]:
    return [
        'for group in optimizer.param_groups:\n    group["weight_decay"] = '
        f"{number(2.0 * change.after.training.l2)}"
    ]


def clip(change: CodeChange) -> list[str]:
    bound = number(change.after.training.clip_global_norm or 0.0)
    return [
        "# between loss.backward() and optimizer.step():",
        f"torch.nn.utils.clip_grad_norm_(model.parameters(), {bound})",
    ]


def schedule(change: CodeChange) -> list[str] | None:
    if change.after.training.schedule.name != "cosine":
        return None
    steps = change.after.training.steps
    told = f"T_max={steps})" if steps else "T_max=steps)"
    return [
        f"scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {told}  # "
        "scheduler.step() behind each optimizer.step()"
    ]


def warmup(change: CodeChange) -> list[str]:
    steps = change.after.training.warmup
    made = (
        f"torch.optim.lr_scheduler.LinearLR(optimizer, start_factor={number(1 / max(steps, 1))}, "
        f"total_iters={steps})"
    )
    return [f"scheduler = {made}  # scheduler.step() behind each optimizer.step()"]


def dropout(change: CodeChange) -> list[str] | None:
    """More of it behind the activations' modules, or none anywhere."""
    had, rate_ = change.before.model.dropout, change.after.model.dropout
    if had or not rate_:
        return [
            "for module in model.modules():\n    if isinstance(module, torch.nn.Dropout):\n  "
            f"      module.p = {number(rate_)}"
        ]
    named = list(dict.fromkeys(module.activation for module in change.hidden))
    if "" in named:
        return None
    return for_each(
        named,
        lambda module: (
            f"{module} = torch.nn.Sequential({module}, torch.nn.Dropout({number(rate_)}))"
        ),
    )


def batch_size(change: CodeChange) -> list[str]:
    return [
        "loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x_train, "
        f"y_train), batch_size={change.after.training.batch_size}, shuffle=True)"
    ]


def class_weights(change: CodeChange) -> list[str] | None:
    """Inverse to the sizes of the classes, 1 on average over samples."""
    loss, weights = change.before.training.loss, class_shares(change)
    if not weights or loss is None or loss.name != "cross_entropy":
        return None
    listed = ", ".join(weights)
    return [f"criterion = torch.nn.CrossEntropyLoss(weight=torch.tensor([{listed}]))"]


def scaling(change: CodeChange) -> list[str]:
    return standardized("x", ".clamp_min(1e-8)")


def target_scaling(change: CodeChange) -> list[str]:
    return standardized("y", ".clamp_min(1e-8)")


def double(change: CodeChange) -> list[str]:
    return ["model.double()  # and every x: x.double()"]


def seed(change: CodeChange) -> list[str]:
    return [f"torch.manual_seed({change.after.training.seed})  # before the model is made"]


def outputs(change: CodeChange) -> list[str] | None:
    """PyTorch's losses of classes hold the activation of the output, so the model is to give
    its last layer's z.
    """
    after = change.after.training.loss
    losses = {
        "cross_entropy": "CrossEntropyLoss",
        "binary_cross_entropy": "BCEWithLogitsLoss",
        "mse": "MSELoss",
        "huber": "HuberLoss",
    }
    task = (
        "cross_entropy" if change.classes and after is None else "" if after is None else after.name
    )
    if task not in losses:
        return None
    if task == "huber":
        return [f"criterion = torch.nn.{losses[task]}()"]
    last, before = change.modules[-1], change.before.training.loss
    criterion = f"criterion = torch.nn.{losses[task]}()"
    if last.activation:
        kept = task == "mse" and before is not None and before.name == task
        taken_away = f"{expression(last.activation)} = torch.nn.Identity()"
        return [taken_away] if kept else [taken_away, criterion]
    return [
        f"{criterion}  # of model(x) as {expression(last.name)} gives it, with no activation behind"
    ]
