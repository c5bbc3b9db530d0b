"""What `explain` says of one thing: all from its own record, for activations with a plot and
the numbers of mean-field theory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.dataclass import dataclass
from dlprobe.registry import Spec, format_value
from dlprobe.render.document import (
    Block,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Heading,
    Hint,
    Paragraph,
    Series,
    Table,
)
from dlprobe.reports.listing import parameter_data

if TYPE_CHECKING:
    from dlprobe.analysis.theory.fixed_points import Critical
    from dlprobe.analysis.theory.gaussian import Moments

SCHEMA = "dlprobe-explain/1"
ROUNDING = 1e-12  # an average of an odd function is 0 but for this
VANISHING_Q = 1e-9  # the edge of chaos at q* → 0 is computed at 1e-12
SCHEDULED = 100  # units of time of the run that a schedule is drawn for
FANS = ((100, 100), (784, 100))

# What a record may hold besides name, summary and parameters: attribute, what people read, in the
# order of printing.
TOLD = (
    ("also_called", "elsewhere called"),
    ("option", "option"),
    ("table", "table of the TOML file"),
    ("allowed", "takes"),
    ("default", "default"),
    ("formula", "formula"),
    ("slope_formula", "slope"),
    ("initializer", "default initializer"),
    ("data_dependent", "looks at the data"),
    ("couples_samples", "couples samples"),
    ("rate", "usual learning rate"),
    ("states", "numbers kept per parameter"),
    ("unit", "counts time in"),
    ("tasks", "for"),
    ("output_activation", "output activation"),
    ("target_range", "takes numbers between"),
    ("fused", "fused with"),
    ("task", "task"),
    ("side", "measured in the pass"),
    ("units", "unit"),
    ("asked", "switched on by"),
    ("place", "in the run file"),
    ("dims", "axes there"),
    ("shown", "shown by"),
    ("suffixes", "file names end in"),
    ("per_class", "one number per class"),
    ("per_target", "one number per target"),
    ("higher_is_better", "higher is better"),
    ("use", "use"),
    ("traps", "traps"),
    ("source", "source"),
    ("licence", "licence"),
)
# functions of the parameters
CALLED = (
    ("gain", "gain"),
    ("largest_slope", "largest slope"),
    ("kinks", "kinks at"),
    ("output_range", "values between"),
)


@dataclass(frozen=True)
class ActivationNumbers:
    """Value and slope at some arguments, the averages over a standard normal argument, and the
    edge of chaos without bias, None where there is none.
    """

    points: Sequence[float]
    values: Sequence[float]
    slopes: Sequence[float]
    moments: Moments
    critical: Critical | None


def explanation(
    thing: Spec, numbers: ActivationNumbers | None = None, example: bool = False
) -> Document:
    """The document of one thing, its parameters as given or at their defaults. example: whether
    it has one worked by hand.
    """
    record = thing.record
    facts = _facts(thing)
    blocks: list[Block] = [Facts([("what it is", record.summary), *facts.values()])]
    blocks += _parameter_blocks(thing)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": thing.kind,
        "name": thing.name,
        "summary": record.summary,
    }
    data |= {name: getattr(record, name) for name, _ in TOLD if hasattr(record, name)}
    data |= {
        name: getattr(record, name)(*thing.parameters.values())
        for name, _ in CALLED
        if hasattr(record, name)
    }
    data["parameters"] = [
        {**parameter_data(parameter), "value": thing.parameters.get(parameter.name)}
        for parameter in record.parameters
    ]
    if numbers is not None:
        blocks += _activation_blocks(thing, numbers)
        data["mean_field"] = _moments_data(numbers)
    elif thing.kind == "activation":
        blocks += [
            Heading("Mean field", 2),
            Paragraph(
                "None: a unit's output depends on several preactivations, so it has no slope "
                "of its own."
            ),
        ]
    if thing.kind == "schedule":
        blocks.append(_schedule_chart(thing))
    if thing.kind == "initializer":
        data["variance"] = [
            {"fan_in": fan_in, "fan_out": fan_out, "value": _variance(thing, fan_in, fan_out)}
            for fan_in, fan_out in FANS
        ]
    if example:
        blocks.append(Hint(f"dlprobe explain {thing.kind}:{thing.name} --example"))
    return Document(f"{thing.kind.replace('_', ' ')} {thing}", blocks, data)


def _schedule_chart(thing: Spec) -> Chart:
    """The rate, and the momentum where it is cycled, over a run of SCHEDULED units of time,
    from a rate of 1.
    """
    values, times = tuple(thing.parameters.values()), range(SCHEDULED)
    series = [
        Series(
            "rate",
            times,
            [thing.record.rate_at(float(t), float(SCHEDULED), 1.0, *values) for t in times],
        )
    ]
    if thing.record.momentum is not None:
        series.append(
            Series(
                "momentum",
                times,
                [thing.record.momentum(float(t), float(SCHEDULED), *values) for t in times],
            )
        )
    unit = thing.parameters.get("unit", thing.record.unit)
    return Chart(series, str(unit), "rate for lr = 1", caption=f"A run of {SCHEDULED} {unit}s")


def _facts(thing: Spec) -> dict[str, tuple[str, Cell]]:
    """What the record holds, in words, by attribute; what is empty or false is left out."""
    record = thing.record
    facts: dict[str, tuple[str, Cell]] = {}
    for name, word in TOLD:
        value = getattr(record, name, None)
        if value or (isinstance(value, int) and not isinstance(value, bool)):
            facts[name] = (word, _words(value))
        if name == "slope_formula":
            computed = {
                called: (title, getattr(record, called)(*thing.parameters.values()))
                for called, title in CALLED
                if hasattr(record, called)
            }
            facts |= {
                called: (title, _words(value))
                for called, (title, value) in computed.items()
                if value != ()
            }
    if thing.kind == "initializer":
        facts["variance"] = (
            "variance of a weight",
            "; ".join(
                f"{_number(_variance(thing, *fans))} for {fans[0]}×{fans[1]}" for fans in FANS
            ),
        )
    if thing.kind == "statistic":
        facts["place"] = (
            "in the run file",
            f"/stats/{thing.name}, (step, layer); dlprobe inspect RUN --statistic {thing.name}",
        )
    if thing.kind == "metric":
        facts["place"] = (
            "in the run file",
            (
                f"/evaluations/train_{thing.name}, val_{thing.name} and /final; dlprobe inspect "
                f"RUN --statistic val_{thing.name}"
            ),
        )
    if facts.get("units", ("", ""))[1] == "1":
        del facts["units"]
    return facts


def _words(value: Any) -> Cell:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, tuple | list):
        return ", ".join(format_value(entry) for entry in value)
    return _number(value)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _variance(thing: Spec, fan_in: int, fan_out: int) -> float:
    return float(thing.record.variance(fan_in, fan_out, *thing.parameters.values()))


def _parameter_blocks(thing: Spec) -> list[Block]:
    parameters = thing.record.parameters
    if not parameters:
        return []
    columns = [
        Column("name"),
        Column("default", align="right"),
        Column("allowed"),
        Column("what it is"),
    ]
    rows = [
        [parameter.name, format_value(parameter.default), parameter.allowed, parameter.help]
        for parameter in parameters
    ]
    if thing.given:
        columns.insert(1, Column("here", align="right"))
        for row, parameter in zip(rows, parameters, strict=True):
            row.insert(1, format_value(thing.parameters[parameter.name]))
    return [Heading("Parameters", 2), Table(columns, rows)]


def _activation_blocks(thing: Spec, numbers: ActivationNumbers) -> list[Block]:
    moments = numbers.moments
    series = [
        Series("value", numbers.points, numbers.values),
        Series("slope", numbers.points, numbers.slopes),
    ]
    averages: list[tuple[str, Cell]] = [
        ("E φ", moments.mean if abs(moments.mean) > ROUNDING else 0.0),
        ("E φ²", moments.mean_square),
        ("Var φ", moments.variance),
        ("E φ'²", moments.slope_mean_square),
        (
            "gain² E φ'²",
            moments.slope_mean_square * float(thing.record.gain(*thing.parameters.values())) ** 2,
        ),
        ("κ", moments.kappa),
        ("critical σ_w", _critical(numbers.critical)),
    ]
    return [
        Chart(series, x_label="z", y_label="value and slope"),
        Heading("Mean field: averages over z ~ N(0, 1)", 2),
        Facts(averages),
    ]


def _critical(critical: Critical | None) -> str:
    """Where E δ² neither grows nor shrinks per layer, Var W = σ_w²/fan_in and no bias."""
    if critical is None:
        return "none: with zero biases χ₁ = 1 at no q*"
    where = "→ 0" if critical.q < VANISHING_Q else f"= {_number(critical.q)}"
    return (
        f"{_number(critical.sigma_w)} at σ_b = 0, q* "
        f"{where}{'' if critical.stable else ', unstable: deep nets leave it'}"
    )


def _moments_data(numbers: ActivationNumbers) -> dict[str, float | None]:
    moments, critical = numbers.moments, numbers.critical
    return {
        "critical_sigma_w": critical.sigma_w if critical else None,
        "critical_q": critical.q if critical else None,
        "critical_stable": critical.stable if critical else None,
        "q": moments.q,
        "mean": moments.mean,
        "mean_square": moments.mean_square,
        "variance": moments.variance,
        "slope_mean_square": moments.slope_mean_square,
        "kappa": moments.kappa,
    }
