"""What other frameworks call what dlprobe has: the one place where both names stand."""

from __future__ import annotations

# PyTorch's class -> dlprobe's optimizer; SGD is sgd, momentum or nesterov by its parameters
TORCH_OPTIMIZERS = {
    "Adam": "adam",
    "AdamW": "adamw",
    "NAdam": "nadam",
    "Adamax": "adamax",
    "Adagrad": "adagrad",
    "RMSprop": "rmsprop",
}
KERAS_OPTIMIZERS = {**TORCH_OPTIMIZERS, "Nadam": "nadam", "Lion": "lion"}
