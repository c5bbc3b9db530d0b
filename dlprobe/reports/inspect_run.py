"""What `inspect` says of one run: overview, layers, configuration, environment."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.record.description import OWN
from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Hint,
    Lines,
    Paragraph,
    Table,
    Toned,
)
from dlprobe.reports.results import column_result, metric_names, result
from dlprobe.reports.run import Told, profile_data, state_data, train_data
from dlprobe.reports.run_facts import PARTS, facts, loss_title, part_size
from dlprobe.reports.statistic import SCHEMA

if TYPE_CHECKING:
    from dlprobe.runs import Run

WIDEST_CONFUSION = 12  # classes of a confusion matrix that is printed; JSON has any


def overview(told: Told, where: str) -> Document:
    """The whole run on one page. `where` is what to type to see this run again, e.g.
    "runs/digits-1.h5" or "study.h5#seed_1".
    """
    run = told.run
    blocks: list[Block] = [*told.first_screen(), Facts([*facts(run), *_file(run)])]
    if told.details():
        blocks.append(Hint(f"dlprobe inspect {where} --details", details=True))
    if len(run.steps) and (recorded := [*run.statistics, *run.scalars]):
        statistic = "error_signal_rms" if "error_signal_rms" in recorded else recorded[0]
        blocks.append(Hint(f"dlprobe inspect {where} --statistic {statistic}"))
    blocks.append(Hint(f"dlprobe inspect {where} --show layers"))
    data = {
        **train_data(run, told.profile),
        **state_data(told.diagnosis),
        "schema": SCHEMA,
        "kind": "run",
        **_names(run),
        "profile": profile_data(told.profile),
        "damage": run.damage,
    }
    return Document("", blocks, data, [*told.details(), _contents(run)])


def _file(run: Run) -> list[tuple[str, Any]]:
    """Who writes the run, what is damaged, and the content hash."""
    pairs: list[tuple[str, Any]] = []
    if run.status == "running" and run.writer:
        pairs.append(
            (
                "written by",
                (
                    f"process {run.writer.get('pid')} on {run.writer.get('host')} since "
                    f"{run.writer.get('started')}"
                ),
            )
        )
    if run.damage:
        pairs.append(("damage", Toned(run.damage, "bad")))
    return [*pairs, ("content", f"sha256 {run.content_sha256[:16]}…")]


def _names(run: Run) -> dict[str, Any]:
    evaluations = [
        *run.evaluations,
        *run.evaluation_layers,
        *run.evaluation_classes,
        *run.evaluation_targets,
    ]
    return {
        "statistics": list(run.statistics),
        "scalars": list(run.scalars),
        "evaluations": [name for name in evaluations if name != "step"],
    }


def _contents(run: Run) -> Block:
    names = _names(run)
    rows, evaluations = len(run.steps), len(run.evaluations.get("step", ()))
    evaluated = (
        f"{counted(evaluations, 'evaluation')} {', '.join(_without_parts(names['evaluations']))}"
        if evaluations
        else ""
    )
    if not rows:
        return Paragraph(f"No step was recorded{'; ' if evaluated else ''}{evaluated}.")
    told = [
        f"{len(names['statistics'])} statistics of {counted(len(run.layers.names), 'layer')} "
        f"at {counted(rows, 'step')}"
    ]
    told += [f"per step {', '.join(names['scalars'])}"] if names["scalars"] else []
    return Paragraph(
        f"Recorded: {'; '.join([*told, f'at {evaluated}' if evaluated else 'no evaluations'])}."
    )


def _without_parts(names: Sequence[str]) -> list[str]:
    """`train_loss, val_loss` is told as `loss of train and val`, what only one part has as it is.

    >>> _without_parts(["train_loss", "val_loss", "train_f1", "val_f1", "dead_fraction"])
    ['of train and val loss', 'f1', 'dead_fraction']
    """
    pairs = [
        name
        for part, _, name in (word.partition("_") for word in names)
        if part == "train" and f"val_{name}" in names
    ]
    others = [name for name in names if name.partition("_")[2] not in pairs]
    return [
        *((f"of train and val {name}" if name == pairs[0] else name) for name in pairs),
        *others,
    ]


# statistics of the last recorded step, by column
MEASURED = {"activation_variance": "variance", "gradient_rms": "gradient", "update_ratio": "update"}


def layers(run: Run, where: str, dead: Sequence[float]) -> Document:
    """One row per layer: what it is made of, and what was measured of it at the last recorded
    step. dead: (layer,) share of its units, NaN unknown.
    """
    columns = [
        Column("layer"),
        Column("fan-in", align="right"),
        Column("units", align="right"),
        *map(Column, ("activation", "initializer", "bias")),
    ]
    columns += [Column("norm"), Column("parameters", align="right")]
    records = [{name: getattr(layer, name) for name in run.layers} for layer in run.layer_facts]
    counts = [layer.parameter_count for layer in run.layer_facts]
    total = None if None in counts else sum(count or 0 for count in counts)
    made = Table(columns, [_layer_row(record) for record in records])
    row = run.row(-1) if len(run.steps) else None
    known = {name: row[name] for name in MEASURED if row is not None and row.is_recorded(name)}
    for record, share, *values in zip(records, dead, *known.values(), strict=True):
        record["measured"] = {
            **dict(zip(known, map(float, values), strict=True)),
            "dead_fraction": float(share),
        }
    data = {
        "schema": SCHEMA,
        "path": str(run.path),
        "layers": records,
        "parameters": total,
        "measured_step": None if row is None else row.step,
    }
    blocks: list[Block] = [_measured(records, run, known), made] if known else [made]
    return Document(f"{where}: layers", [*blocks, Facts([("trained parameters", total)])], data)


def _measured(records: Sequence[Mapping[str, Any]], run: Run, known: Collection[str]) -> Table:
    """Each layer's activation beside the variance of its output, its weight gradient, its
    relative update and its dead units.
    """
    columns = [
        Column("layer"),
        Column("activation"),
        Column("initializer"),
        *(Column(MEASURED[name], align="right", digits=3) for name in known),
    ]
    rows = [
        [
            record["name"],
            record.get("activation"),
            record.get("initializer"),
            *(_known(record["measured"][name]) for name in known),
            _dead(record["measured"]),
        ]
        for record in records
    ]
    meaning = (
        "variance of the activation, RMS of the weight gradient, ‖ΔW‖/‖W‖ of the update, units "
        "with slope 0 on all samples"
    )
    return Table(
        [*columns, Column("dead", "%", "right", 3)],
        rows,
        f"Measured at step {int(run.steps[-1]):,}: {meaning}.",
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _dead(measured: Mapping[str, float]) -> Cell:
    share = 100.0 * measured["dead_fraction"]
    return None if math.isnan(share) else Toned(share, "bad") if share > 50.0 else share


def _layer_row(record: Mapping[str, Any]) -> list[Any]:
    names = ("name", "fan_in", "units", "activation", "initializer", "bias_initializer")
    norm = f"{record.get('normalization') or 'none'} {record.get('norm_position') or ''}".strip()
    cells = [record.get(name) for name in names]
    return [
        *(None if cell == "" else cell for cell in cells),
        None if norm == "none" else norm,
        record.get("parameter_count"),
    ]


def metrics(run: Run, where: str) -> Document:
    """Every metric of every part, those per class as a row per class, and the confusion
    matrices.
    """
    parts = {part: word for part, word in PARTS.items() if part_size(run, part)}
    names = {
        "loss": loss_title(run),
        **{name: name for name in metric_names(run, per_column=False)},
    }
    columns = [Column("metric"), *(Column(word, align="right") for word in parts.values())]
    share = run.data.get("task") == "classification"
    rows: list[list[Cell]] = [
        [_titled(name, title, share), *(_shown(run, part, name, share) for part in parts)]
        for name, title in names.items()
    ]
    blocks: list[Block] = [Table(columns, rows)]
    for part, word in parts.items():
        blocks += [*_column_tables(run, part, word), *_confusion(run, part, word)]
    data = {
        name: value
        for name, value in train_data(run, None).items()
        if name.partition("_")[0] in PARTS
    }
    confusions = {f"{part}_confusion": run.final.get(f"{part}_confusion") for part in PARTS}
    return Document(
        f"{where}: metrics",
        blocks,
        {"schema": SCHEMA, "path": str(run.path), **_columns(run), **data, **confusions},
    )


def _titled(name: str, title: str, share: bool) -> str:
    return f"{title} [%]" if share and name == "error" else title


def _shown(run: Run, part: str, name: str, share: bool) -> Cell:
    """A metric at the end; the error of classes in percent, as everywhere."""
    value = result(run, f"{part}_{name}")
    return f"{100 * value:.1f}" if share and name == "error" and value is not None else value


def _columns(run: Run) -> dict[str, Any]:
    return {"classes": run.data.get("class_names"), "targets": run.data.get("target_names")}


def _column_tables(run: Run, part: str, word: str) -> list[Block]:
    results = {
        name: values
        for name in metric_names(run, per_column=True)
        if (values := column_result(run, f"{part}_{name}")) is not None
    }
    what = "class" if run.data.get("class_names") else "target"
    names = list(run.data.get(f"{what}_names", ()))
    if not names or not results:
        return []
    columns = [Column(what), *(Column(name, align="right") for name in results)]
    return [
        Table(
            columns,
            [list(row) for row in zip(names, *results.values(), strict=True)],
            f"Each {what}, {word} part",
        )
    ]


def _confusion(run: Run, part: str, word: str) -> list[Block]:
    classes, table = list(run.data.get("class_names", ())), run.final.get(f"{part}_confusion")
    if table is None or not classes or len(classes) > WIDEST_CONFUSION:
        return []
    heads = [Column("true \\ predicted"), *(Column(name, align="right") for name in classes)]
    return [
        Table(
            heads,
            [[name, *map(int, row)] for name, row in zip(classes, table, strict=True)],
            f"Confusion, {word} part",
        )
    ]


def configuration(run: Run) -> Document:
    """The configuration as TOML, ready for `dlprobe train`: nothing else is printed, so that it can
    go to a file.

    Raises ConfigError for a run of another origin, which has none.
    """
    if run.origin != OWN:
        run.required_configuration()
    data = {"schema": SCHEMA, "path": str(run.path), "config": run.config}
    return Document("", [Lines(toml_lines(run.config))], data)


def toml_lines(config: Mapping[str, Any]) -> list[str]:
    """Tables of plain values as TOML: a JSON text, number, list or true/false is written the
    same there.
    """
    lines: list[str] = []
    for table, values in config.items():
        lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        pairs = values.items() if isinstance(values, Mapping) else [(table, values)]
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in pairs]
    return lines


def environment(run: Run, where: str) -> Document:
    """Versions, machine, command line."""
    pairs = [
        (
            key.replace("_", " "),
            value if isinstance(value, str | int | float) else json.dumps(value),
        )
        for key, value in run.environment.items()
    ]
    return Document(
        f"{where}: environment",
        [Facts(pairs)],
        {"schema": SCHEMA, "path": str(run.path), "environment": run.environment},
    )
