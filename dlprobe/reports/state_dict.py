"""What is in a PyTorch `state_dict` as .npz: its Linear layers, and how large their numbers are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlprobe.registry import counted
from dlprobe.render.document import Column, Document, Hint, Paragraph, Table

SCHEMA = "dlprobe-weights/1"
Array = npt.NDArray[Any]


def weights_document(
    path: Path, layers: Sequence[tuple[str, Array, Array | None]], initializer: str
) -> Document:
    """layers: name, weights (fan_in, fan_out) and bias (fan_out,) or None, from the input on;
    initializer: whose weights have their sizes.
    """
    records = [_record(*layer) for layer in layers]
    columns = [
        Column("layer"),
        *(Column(name, align="right") for name in ("weights", "parameters")),
    ]
    columns += [
        Column(name, align="right", digits=3)
        for name in ("RMS weight", "largest", "zeros [%]", "RMS bias")
    ]
    rows = [
        [
            record["name"],
            f"{record['fan_in']}×{record['fan_out']}",
            record["parameters"],
            record["weight_rms"],
            record["weight_max_abs"],
            100.0 * record["zero_weight_fraction"],
            "none" if record["bias_rms"] is None else record["bias_rms"],
        ]
        for record in records
    ]
    total, wrong = (sum(record[key] for record in records) for key in ("parameters", "nonfinite"))
    said = f"{counted(total, 'parameter')}; the weights have the sizes of {initializer}"
    data = {"schema": SCHEMA, "path": str(path), "initializer": initializer, "layers": records}
    broken = f"{counted(wrong, 'number')} of them NaN or infinite"
    return Document(
        f"{path}: {counted(len(layers), 'Linear layer')}",
        [
            Table(columns, rows),
            Paragraph(said),
            *([Paragraph(broken, tone="bad")] if wrong else []),
            Hint(f"dlprobe theory {path}"),
            Hint(f"dlprobe train {path} --dry-run"),
        ],
        data,
    )


def _record(name: str, weights: Array, bias: Array | None) -> dict[str, Any]:
    wide = np.asarray(weights, np.float64)
    finite = wide[np.isfinite(wide)]
    added = np.zeros(0) if bias is None else np.asarray(bias, np.float64)
    return {
        "name": name,
        "fan_in": int(wide.shape[0]),
        "fan_out": int(wide.shape[1]),
        "parameters": int(wide.size + added.size),
        "weight_rms": float(np.sqrt(np.mean(finite**2))) if finite.size else None,
        "weight_max_abs": float(np.abs(finite).max()) if finite.size else None,
        "zero_weight_fraction": float(np.mean(wide == 0)),
        "bias_rms": None if bias is None else float(np.sqrt(np.mean(added**2))),
        "nonfinite": int(wide.size - finite.size + np.count_nonzero(~np.isfinite(added))),
    }
