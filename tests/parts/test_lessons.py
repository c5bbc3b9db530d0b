"""What trains a net also teaches: each record of these kinds says its formula, who proposed it,
when to take it and what people run into.
"""

from __future__ import annotations

import pytest

from dlprobe import registry

TAUGHT = (
    "activation",
    "initializer",
    "normalization",
    "optimizer",
    "schedule",
    "loss",
    "perturbation",
    "augmentation",
    "residual",
    "penalty",
)
RECORDS = [(kind, name) for kind in TAUGHT for name in registry.records(kind)]


@pytest.mark.parametrize(("kind", "name"), RECORDS)
def test_record_says_formula_source_use_and_traps(kind: str, name: str) -> None:
    record = registry.get(kind, name)
    for field in ("summary", "formula", "source", "use", "traps"):
        assert getattr(record, field).strip(), f"{kind} {name}: {field} is empty"


@pytest.mark.parametrize(("kind", "name"), RECORDS)
def test_use_and_traps_are_sentences(kind: str, name: str) -> None:
    record = registry.get(kind, name)
    for sentences in (record.use, record.traps):
        assert sentences.endswith(".")
        assert "  " not in sentences
