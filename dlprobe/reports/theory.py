"""What mean-field theory predicts of a net: phase, profiles with their finite-width bands, and
a measured run beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import (
    Block,
    Bullets,
    Cell,
    Chart,
    Column,
    Document,
    Facts,
    Hint,
    Paragraph,
    Series,
    Strip,
    StripGroup,
    Strips,
    Table,
    Verdict,
)
from dlprobe.reports.against_theory import _against, _against_blocks, _compared

if TYPE_CHECKING:
    from dlprobe.analysis.profiles.against_theory import TheoryDeviations
    from dlprobe.analysis.theory.fixed_points import Critical
    from dlprobe.analysis.theory.mean_field import Band, InitialNet, Prediction
    from dlprobe.analysis.theory.phase import Phase

SCHEMA = "dlprobe-theory/1"
# below it a number is 0, above its inverse infinite: what rounding leaves of a critical point
ROUNDING = 1e-9
SHOWN = 24  # layers of a table; deeper nets show both ends
CHAIN = {
    "ordered": "error signals vanish towards the input",
    "chaotic": "error signals grow towards the input",
    "critical": "error signals keep their size",
}


def document(
    net: InitialNet,
    prediction: Prediction,
    phase: Phase | None,
    edges: Sequence[tuple[float, Critical | None]] = (),
    against: TheoryDeviations | None = None,
    run_name: str | None = None,
    maps: bool = False,
    last: TheoryDeviations | None = None,
    measure: str = "",
) -> Document:
    """The whole answer. edges: (σ_b, the critical point there) that were asked for; against: a
    measured run, `run_name` its file.

    maps: show the q-map and c-map, which the data always hold. last: the run's last step, where it
        is not the first. measure: the command that records the net before its first update, where
        none is compared.
    """
    data = _data(net, prediction, phase, edges, against, run_name)
    if last is not None:
        data["against"]["last"] = _compared(last)
    if not prediction.applicable or phase is None:
        return Document(
            "what theory predicts",
            [Verdict(prediction.reason, "warning"), *_edge_blocks(edges)],
            data,
        )
    errors, activations = prediction.error_signal_bands(), prediction.activation_bands()
    blocks: list[Block] = [
        _verdict(phase, prediction),
        *_strips(prediction, errors, activations, against),
        Facts(_facts(phase, prediction)),
    ]
    if phase.note:
        blocks.append(Paragraph(phase.note + "."))
    blocks += [
        *(_maps(phase) if maps else []),
        *_edge_blocks(edges),
        *_against_blocks(against, last, run_name),
    ]
    details: list[Block] = []
    if len(net.units) > 1:
        measured = None if against is None else against.error_signal_rms_relative
        details.append(
            _chart("RMS of the error signal, relative to the last hidden layer", errors, measured)
        )
    details += [
        _table(prediction, errors, activations, against),
        Bullets(list(prediction.assumptions)),
    ]
    if against is None:
        blocks.append(Hint(f"{measure}   # the same net measured, for dlprobe theory --against"))
    return Document("what theory predicts", blocks, data, details)


def _strips(
    prediction: Prediction,
    errors: Sequence[Band],
    activations: Sequence[Band],
    against: TheoryDeviations | None,
) -> list[Block]:
    """Activation and error signal through the hidden layers: predicted with the ends of one
    net's band, and measured where a run is compared.
    """
    if len(errors) < 2:
        return []
    groups = []
    for name, bands, key in (
        ("E a²", activations, "activation_mean_square"),
        ("error signal RMS over that of the last", errors, "error_signal_rms_relative"),
    ):
        strips = [
            Strip(word, [float(getattr(band, end)) for band in bands])
            for word, end in (("theory", "value"), ("low", "low"), ("high", "high"))
        ]
        if against is not None:
            strips.append(Strip("measured", [float(value) for value in getattr(against, key)]))
        groups.append(StripGroup(name, strips))
    return [Strips(groups, [f"hidden_{index + 1}" for index in range(len(errors))])]


def _verdict(phase: Phase, prediction: Prediction) -> Verdict:
    band = prediction.log10_error_signal_ratio
    value = band.value if abs(band.value) > ROUNDING else 0.0
    ratio = (
        f"log10 of the error signal at hidden_1 over the last hidden layer: {value:+.3g} (a "
        f"single net: {band.low:+.3g} to {band.high:+.3g})"
    )
    if phase.regime == "unknown":
        return Verdict(ratio, "neutral")
    return Verdict(
        f"{phase.regime}: {CHAIN[phase.regime]}; {ratio}",
        "neutral" if phase.regime == "critical" or abs(band.value) < 1.0 else "warning",
    )


def _facts(phase: Phase, prediction: Prediction) -> list[tuple[str, Cell]]:
    edge = phase.critical
    return [
        ("σ_w, σ_b", f"{phase.sigma_w:.6g}, {phase.sigma_b:.6g}"),
        ("q*", _number(phase.q_star)),
        ("χ_1", _number(phase.chi_1)),
        ("c*", _number(phase.c_star)),
        (
            "depth scales",
            (
                f"ξ_q {_number(phase.xi_q)}, ξ_c {_number(phase.xi_c)}, ξ_∇ "
                f"{_number(phase.xi_gradient)} layers"
            ),
        ),
        (
            "trainable depth",
            f"about {_number(6 * phase.xi_c)} layers (6 ξ_c)"
            if math.isfinite(phase.xi_c)
            else _number(6 * phase.xi_c),
        ),
        (
            "edge of chaos",
            f"σ_w = {edge.sigma_w:.6g} at this σ_b (q* = {_number(edge.q)}{_drift(edge)})"
            if edge
            else "none at this σ_b",
        ),
        ("e-folding depth of the RMS", f"{_number(prediction.e_folding_depth)} layers"),
    ]


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "∞" if abs(value) > 1.0 / ROUNDING else f"{value:.6g}" if abs(value) > ROUNDING else "0"


def _chart(caption: str, bands: Sequence[Band], measured: Any) -> Chart:
    x = [float(index + 1) for index in range(len(bands))]
    names = (("theory", "value"), ("low", "low"), ("high", "high"))
    series = [
        Series(
            name,
            x,
            [float(getattr(band, key)) for band in bands],
            "" if key == "value" else "theory",
        )
        for name, key in names
    ]
    if measured is not None:
        series.append(Series("measured", x, [float(value) for value in measured]))
    positive = [value for one in series for value in one.y if value > 0 and math.isfinite(value)]
    return Chart(
        series,
        "hidden layer",
        "",
        log_y=bool(positive) and max(positive) > 20 * min(positive),
        caption=caption,
        name="error_signal",
    )


def _table(
    prediction: Prediction,
    errors: Sequence[Band],
    activations: Sequence[Band],
    against: TheoryDeviations | None,
) -> Table:
    count = len(errors)
    rows = (
        range(count) if count <= SHOWN else [*range(SHOWN // 2), *range(count - SHOWN // 2, count)]
    )
    columns = [
        Column("layer"),
        Column("q", align="right"),
        Column("E a²", align="right"),
        Column("Var a", align="right"),
        Column("δ/δ_n", align="right"),
    ]
    columns += [Column("low", align="right"), Column("high", align="right")]
    if against is not None:
        columns += [
            Column("E a² measured", "", "right"),
            Column("off", "s.d.", "right", 2),
            Column("δ/δ_n measured", "", "right"),
            Column("off ", "s.d.", "right", 2),
        ]
    table: list[list[Cell]] = []
    for index in rows:
        band = errors[index]
        cells: list[Cell] = [
            f"hidden_{index + 1}",
            prediction.preactivation_mean_square[index],
            activations[index].value,
        ]
        cells += [prediction.activation_variance[index], band.value, band.low, band.high]
        if against is not None:
            off = against.deviations
            cells += [
                float(against.activation_mean_square[index]),
                _off(off["activation_mean_square"][index]),
            ]
            cells += [
                float(against.error_signal_rms_relative[index]),
                _off(off["error_signal_rms_relative"][index]),
            ]
        table.append(cells)
    left_out = (
        f" {count - SHOWN} layers between are left out; --format json has all."
        if count > SHOWN
        else ""
    )
    return Table(
        columns,
        table,
        caption="Predicted at initialization; low and high: four standard deviations of one net of "
        f"these widths.{left_out}",
    )


def _maps(phase: Phase) -> list[Block]:
    blocks: list[Block] = []
    texts = {
        "q": "q-map: preactivation mean square of a layer and of the next one.",
        "c": "c-map: correlation of two inputs before and behind a layer.",
    }
    for name, pairs in (("q", phase.q_map), ("c", phase.c_map)):
        columns = [Column(name, align="right"), Column(f"next {name}", align="right", digits=6)]
        blocks += (
            [Table(columns, [list(pair) for pair in pairs], caption=texts[name])] if pairs else []
        )
    return blocks


def _off(value: float) -> Cell:
    if math.isfinite(value):
        return f"{value:+.1f}"
    if math.isnan(value):
        return "-"
    if value > 0:
        return "∞"
    return "-∞"


def _edge_blocks(edges: Sequence[tuple[float, Critical | None]]) -> list[Block]:
    if not edges:
        return []
    rows: list[list[Cell]] = [
        [sigma_b, edge.sigma_w if edge else "none", _number(edge.q) + _drift(edge) if edge else "-"]
        for sigma_b, edge in edges
    ]
    columns = [
        Column("σ_b", align="right"),
        Column("σ_w", align="right", digits=7),
        Column("q*", align="right"),
    ]
    return [Table(columns, rows, caption="Edge of chaos, χ_1 = 1: σ_w for each σ_b.")]


def _drift(edge: Critical) -> str:
    return "" if edge.stable else ", unstable: deep nets leave it"


def _data(
    net: InitialNet,
    prediction: Prediction,
    phase: Phase | None,
    edges: Sequence[tuple[float, Critical | None]],
    against: TheoryDeviations | None,
    run_name: str | None,
) -> dict[str, Any]:
    nothing = math.nan
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "q_star": phase.q_star if phase else nothing,
        "chi_1": phase.chi_1 if phase else nothing,
        "xi_q": phase.xi_q if phase else nothing,
        "xi_c": phase.xi_c if phase else nothing,
        "xi_gradient": phase.xi_gradient if phase else nothing,
        "layers": _layers(prediction),
        "c_star": phase.c_star if phase else nothing,
        "regime": phase.regime if phase else "unknown",
        "sigma_w": phase.sigma_w if phase else nothing,
        "sigma_b": phase.sigma_b if phase else nothing,
        "critical": _edge(phase.critical if phase else None),
        "q_map": [list(pair) for pair in phase.q_map] if phase else [],
        "c_map": [list(pair) for pair in phase.c_map] if phase else [],
        "log10_error_signal_ratio": {
            key: getattr(prediction.log10_error_signal_ratio, key)
            for key in ("value", "low", "high")
        },
        "e_folding_depth": prediction.e_folding_depth,
        "applicable": prediction.applicable,
        "reason": prediction.reason,
        "note": phase.note if phase else "",
        "assumptions": list(prediction.assumptions),
    }
    if edges:
        data["edges"] = [
            {
                "sigma_b": sigma_b,
                **(_edge(edge) or {"sigma_w": nothing, "q_star": nothing, "stable": None}),
            }
            for sigma_b, edge in edges
        ]
    if against is not None:
        data["against"] = _against(against, run_name, net.input_mean_square)
    return data


def _edge(edge: Critical | None) -> dict[str, Any] | None:
    return (
        None if edge is None else {"sigma_w": edge.sigma_w, "q_star": edge.q, "stable": edge.stable}
    )


def _layers(prediction: Prediction) -> list[dict[str, Any]]:
    if not prediction.applicable:
        return []
    bands = zip(prediction.error_signal_bands(), prediction.activation_bands(), strict=True)
    return [
        {
            "name": f"hidden_{index + 1}",
            "q": prediction.preactivation_mean_square[index],
            "activation_mean_square": prediction.activation_mean_square[index],
            "activation_variance": prediction.activation_variance[index],
            "error_signal_rms_relative": error.value,
            "low": error.low,
            "high": error.high,
            "activation_low": activation.low,
            "activation_high": activation.high,
        }
        for index, (error, activation) in enumerate(bands)
    ]
