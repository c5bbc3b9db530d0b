"""What the inputs look like before the net sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.experiments.recipe import Check, Found, recipe
from dlprobe.experiments.recipes.reading import medians, table

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory


@recipe(
    claim="A net does not train on inputs of very different scales.",
    source=(
        "lecture slides on preprocessing; LeCun, Bottou, Orr & Müller 1998, Efficient "
        "backprop, §4.3"
    ),
    base="""
[data]
data = "wine"
[model]
layers = "32"
[training]
optimizer = "sgd"
lr = 0.05
epochs = 40
[recording]
evaluate_every = "never"
""",
    truth=(
        "The largest column sets the largest curvature, and with it the rate that training bears; "
        "a batch norm on the input does what scaling does."
    ),
    expected="holds only when",
    tiny={"model.layers": "16", "training.epochs": "20"},
)
def unscaled_inputs(laboratory: Laboratory) -> Found:
    cases = {
        "inputs go straight to the net": "none",
        "inputs are normalized inside it (input_norm = batch)": "batch",
    }
    scalings = ("standardize", "none")
    runs = laboratory.run(
        {
            f"{case}, {scaling}": {"model.input_norm": norm, "data.scaling": scaling}
            for case, norm in cases.items()
            for scaling in scalings
        }
    )
    error = medians(runs, "train_error")
    quantity = "training error, unscaled − standardized"
    checks = [
        Check(quantity, error[f"{case}, none"] - error[f"{case}, standardize"], ">", 0.1, case)
        for case in cases
    ]
    return Found(checks, {"train_error": error}, [table("inputs", "training error", error)])
