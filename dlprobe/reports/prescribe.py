"""What `prescribe` says: every remedy that was tried, before and after, and the cheapest cure; and the cured configuration with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.render.document import Block, Cell, Column, Document, Hint, Paragraph, Table, Toned, Verdict

if TYPE_CHECKING:
    from dlprobe.experiments.prescription import Result

SCHEMA = "dlprobe-prescribe/1"


def prescribe_document(path: str, codes: Sequence[str], results: Sequence[Result], cure: Result | None, written: str, complete: bool = True) -> Document:
    """The whole answer. codes: what was to be cured; results: the run as it is first; written: the file of the cured configuration; complete:
    whether all was tried.
    """
    data: dict[str, Any] = {"schema": SCHEMA, "path": path, "treated": list(codes), "results": [], "cure": None, "written": written or None}
    if not results:
        return Document(f"prescribe {path}", [Verdict("nothing to prescribe: no error or warning names a remedy", "neutral")], data)
    before = results[0]
    data["results"] = [_data(each, before) for each in results]
    data["cure"] = None if cure is None else _data(cure, before)
    blocks: list[Block] = [
        Paragraph(f"To be cured: {', '.join(codes)}. Every remedy was trained with {len(before.trials)} seeds on the same data."),
        _table(results),
    ]
    if cure is None:
        nothing = "nothing helped" if complete else "nothing that was tried so far helped"
        blocks.append(Verdict(f"{nothing}: no remedy took the findings away in 4 of 5 seeds; the best of them may be a start", "warning"))
        return Document(f"prescribe {path}", blocks, data)
    blocks.append(
        Verdict(f"cheapest cure{'' if complete else ' so far'}: {_patch(cure)}: {cure.treatment.remedy.why if cure.treatment.remedy else ''}", "good")
    )
    return Document(f"prescribe {path}", [*blocks, *([Hint(f"dlprobe train {written}")] if written else [])], data)


def _table(results: Sequence[Result]) -> Table:
    before = results[0]
    columns = [Column("change"), Column("for"), Column("error", align="right", digits=3), Column("range", align="right")]
    columns += [Column("cured", align="right"), Column("work", "×", "right", 2)]
    rows: list[list[Cell]] = []
    for each in results:
        low, high = each.span
        count = each.cured(before) if each is not before else 0
        cured = "-" if each is before else Toned(f"{count} of {len(each.trials)}", "good" if count == len(each.trials) else "neutral")
        rows.append([_patch(each), ", ".join(each.treatment.codes), each.median, f"{low:.3g} to {high:.3g}", cured, each.work / max(before.work, 1.0)])
    return Table(columns, rows, "Validation error (median over seeds), in how many seeds the findings are gone, and the work of training.")


def _patch(result: Result) -> str:
    remedy = result.treatment.remedy
    return "as it is" if remedy is None else ", ".join(f"{key} = {value}" for key, value in remedy.patch.items())


def _data(result: Result, before: Result) -> dict[str, Any]:
    remedy = result.treatment.remedy
    low, high = result.span
    return {
        "patch": dict(remedy.patch) if remedy else {},
        "why": remedy.why if remedy else None,
        "codes": list(result.treatment.codes),
        "error": result.median,
        "low": low,
        "high": high,
        "seeds": len(result.trials),
        "cured": result.cured(before) if result is not before else 0,
        "work": result.work / max(before.work, 1.0),
        "still": sorted({code for trial in result.trials for code in (*trial.ill, *trial.others)}),
    }


def head_of_cure(path: str, cure: Result, before: Result) -> list[str]:
    """What the head of the cured configuration says: whose it is, before and after."""
    return [
        f"The configuration of {' '.join(path.split())}, cured of {', '.join(cure.treatment.codes)}.",
        f"Error, median over seeds: {before.median:.4g} before, {cure.median:.4g} after; cured in {cure.cured(before)} of {len(cure.trials)}.",
    ]


def reasons_of(cure: Result) -> dict[str, str]:
    """Why each changed key has its value, by `table.key`."""
    remedy = cure.treatment.remedy
    return {} if remedy is None else dict.fromkeys(remedy.patch, f"CHANGED for {', '.join(cure.treatment.codes)}: {remedy.why}")
