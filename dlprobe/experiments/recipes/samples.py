"""How many samples there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlprobe.experiments.recipe import Check, Found, recipe
from dlprobe.experiments.recipes.reading import asked, measured, scan

if TYPE_CHECKING:
    from dlprobe.experiments.laboratory import Laboratory


@recipe(
    claim="More training data lower the test error and close its gap to the training error.",
    said="learning curves as lectures draw them; Ng 2018, Machine Learning Yearning, ch. 28-32",
    base="""
[data]
data = "digits"
[model]
layers = "64"
[training]
steps = 600
lr = 0.005
""",
    truth="Variance falls with the sample; what stays when the gap is closed is bias, which more "
    "data do not mend.",
    expected="holds",
    tiny={"training.steps": "150", "model.layers": "16"},
    tries=("dlprobe recipe data_size --data breast_cancer",),
)
def data_size(lab: Laboratory) -> Found:
    percents: Sequence[int] = lab.size((2, 5, 10, 20, 40, 75), (4, 60))
    runs = lab.run(
        {f"{percent} %": {"data.split": f"{percent},{80 - percent},20"} for percent in percents}
    )
    numbers = measured(runs, training="train_error", test="test_error")
    train, test = numbers.values()
    few, many = f"{percents[0]} %", f"{percents[-1]} %"
    checks = [
        Check("test error, all − few samples", test[many] - test[few], "<", 0.0),
        Check(
            "gap of test and training error, all − few samples",
            test[many] - train[many] - test[few] + train[few],
            "<",
            0.0,
        ),
    ]
    picture = scan(
        *("error", tuple(numbers), percents, lambda name, x: numbers[name][f"{x:g} %"]),
        x_label="% of the data to train on",
        log_x=True,
        log_y=False,
    )
    return Found(checks, numbers, [picture])


@recipe(
    claim="With plenty of data larger nets win; small nets and linear models level off. With "
    "little data the order is open.",
    said="Ng 2017, Deep Learning Specialization, course 1, week 1: scale drives deep learning; "
    "Ng 2018, Machine Learning Yearning, ch. 4",
    base="""
[data]
data = "digits"
[training]
steps = 1000
""",
    truth=(
        "A small hidden layer can be worse than none: eight units must squeeze ten classes through."
    ),
    expected="holds only when",
    tiny={"training.steps": "500"},
    tries=(
        ("dlprobe compare width=8,32,128 --train-size 100"),
        "dlprobe bias-variance --over width=8,32,128",
    ),
)
def nets_by_data(lab: Laboratory) -> Found:
    nets = {"linear": "none", "small (8)": "8", "medium (32)": "32", "large (256,256)": "256,256"}
    percents: Sequence[int] = lab.size((2, 10, 30, 75), (5, 75))
    runs = lab.run(
        {
            f"{net}, {percent} %": {
                "model.layers": layers,
                "data.split": f"{percent},{80 - percent},20",
            }
            for net, layers in nets.items()
            for percent in percents
        }
    )
    numbers = measured(runs, test_error="test_error", train_error="train_error")
    much = f"{percents[-1]} %"
    linear, small, medium, large = nets
    pairs = ((large, medium), (medium, small), (medium, linear), (small, linear))
    checks = [
        asked(
            *(numbers, "test error", f"{one}, {much}", "<", 1.0),
            *(f"{other}, {much}", f"{one} is held against {other}"),
        )
        for one, other in pairs
    ]
    error = numbers["test error"]
    picture = scan(
        *("test error", tuple(nets), percents, lambda net, x: error[f"{net}, {x:g} %"]),
        x_label="% of the data to train on",
        log_x=True,
    )
    return Found(checks, numbers, [picture])
