"""Ways of ending a run before its budget is spent: one record each."""

from __future__ import annotations

from dlprobe.dataclass import dataclass
from dlprobe.registry import Parameter, register


@dataclass(frozen=True)
class StoppingRule:
    """What is known of a way of ending."""

    name: str
    summary: str
    formula: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    use: str = ""
    traps: str = ""


register(
    "stopping",
    StoppingRule(
        name="early_stopping",
        summary="ends a run whose monitored value no longer improves, and goes back to the best "
        "parameters",
        formula="an evaluation improves if it is better than the best so far by more than "
        "min_delta; stop at the patience-th one in a row that does not",
        source="Morgan & Bourlard 1990; Prechelt 1998; counted as Keras's EarlyStopping counts",
        parameters=(
            Parameter("patience", 10, "evaluations without improvement until the run ends", low=0),
            Parameter("min_delta", 0.0, "improvement that does not count yet", low=0.0),
            Parameter("restore_best", True, "go back to the parameters of the best evaluation"),
            Parameter(
                "monitor", "val_loss", "train_ or val_ with loss or a metric that is one number"
            ),
        ),
        use="Nets that start to overfit: the number of epochs is found while training.",
        traps="The best of many noisy evaluations looks better than it is: judge by the test part. "
        "The evaluation before the first update does not count.",
    ),
)
