"""What `prescribe` says: the cure first, every change that was tried, before and after; and the
cured configuration with its reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlprobe.registry import counted
from dlprobe.render.document import (
    Block,
    Cell,
    Choice,
    Choices,
    Column,
    Document,
    Hint,
    Paragraph,
    Table,
    Toned,
    Verdict,
)
from dlprobe.reports.diagnosis import opening
from dlprobe.reports.proof import proof_line

if TYPE_CHECKING:
    from dlprobe.experiments.prescription import Prescription, Tried
    from dlprobe.experiments.proof_record import Proof
    from dlprobe.experiments.treatments import Result
    from dlprobe.rules import Diagnosis

SCHEMA = "dlprobe-prescribe/1"


def prescribe_document(
    diagnosis: Diagnosis,
    prescription: Prescription,
    tried: Tried,
    *,
    percent: bool = True,
    written: str = "",
    plain: str = "",
    proof: Proof | None = None,
) -> Document:
    """The whole answer. diagnosis: of the run; percent: whether the metric is a share of wrong
    classes; written: the file of the cured configuration;
    plain: the command that trains plain defaults; proof: of the cause, where one lies beside the
        run.
    """
    blocks = _Words(diagnosis, prescription, tried, percent).blocks(written, plain, proof)
    return Document("", blocks, _data(diagnosis, prescription, tried, written, proof))


class _Words:
    """The words for one result."""

    def __init__(
        self, diagnosis: Diagnosis, prescription: Prescription, tried: Tried, percent: bool
    ) -> None:
        self.diagnosis, self.prescription, self.tried, self.percent = (
            diagnosis,
            prescription,
            tried,
            percent,
        )
        self.path = diagnosis.path

    def blocks(self, written: str, plain: str, proof: Proof | None) -> list[Block]:
        if not self.tried.results:
            return [
                *opening(self.diagnosis),
                Paragraph("nothing to prescribe: no error or warning names a change", below=True),
            ]
        lines: list[Block] = [
            self._verdict(),
            *(Paragraph(text, below=True) for text in self._below(written, proof) if text),
        ]
        return [
            *lines,
            *self._better_defaults(plain),
            self._table(),
            *([Hint(f"dlprobe train {written}")] if written else []),
        ]

    def _verdict(self) -> Verdict:
        cure, before, defaults = self.tried.cure, self.tried.results[0], self.tried.defaults
        so_far = (
            ""
            if self.tried.complete
            else (
                f" so far ({len(self.tried.changes)} of "
                f"{counted(self.tried.planned, 'change')} tried)"
            )
        )
        if cure is not None:
            return Verdict(
                f"{self.path}: cured{so_far} by {cure.treatment.change}: "
                f"{self._outcome(cure)}; as it is {self._counts(before)}",
                "good",
            )
        if self.prescription.failed and before.cures:
            return Verdict(
                f"{self.path}: bad luck{so_far}: as it is, {self._outcome(before)}", "warning"
            )
        nothing = f"{self.path}: nothing cures{so_far}"
        if defaults is not None and defaults.cures:
            return Verdict(
                f"{nothing}, but plain defaults do: {self._outcome(defaults)}; as it is "
                f"{self._counts(before)}",
                "warning",
            )
        best = min(
            self.tried.changes, key=lambda trial: (-trial.cured, trial.median), default=before
        )
        nearest = (
            "" if best is before else f"; nearest is {best.treatment.change}: {self._counts(best)}"
        )
        return Verdict(f"{nothing}: as it is {self._outcome(before)}{nearest}", "warning")

    def _below(self, written: str, proof: Proof | None) -> list[str]:
        cure, defaults = self.tried.cure, self.tried.defaults
        why = cure.treatment.remedy.why if cure is not None and cure.treatment.remedy else ""
        return [
            f"{why}; for {', '.join(cure.treatment.codes) or 'what the run chose itself'}."
            if cure is not None
            else "",
            ""
            if defaults is None or self.tried.defaults_better or (cure is None and defaults.cures)
            else f"Plain defaults: {self._outcome(defaults)}.",
            f"{proof_line(proof)}." if proof is not None else "",
            f"{written} has the configuration, with what differs from the run and why."
            if written
            else "",
        ]

    def _better_defaults(self, plain: str) -> list[Block]:
        defaults = self.tried.defaults
        if defaults is None or not self.tried.defaults_better:
            return []
        return [
            Choices(
                [
                    Choice(
                        "or",
                        plain,
                        f"plain defaults are better than this: {self._outcome(defaults)}, at "
                        f"{defaults.work:.2g} × the work",
                    )
                ]
            )
        ]

    def _outcome(self, result: Result) -> str:
        """`3 of 3 seeds learn, error 8.3 %`."""
        few = result.cured == 1
        word = (
            ("learns" if few else "learn")
            if self.prescription.failed
            else ("is rid of the findings" if few else "are rid of the findings")
        )
        return (
            f"{result.cured} of {counted(len(result.trials), 'seed')} {word}, "
            f"{'error' if self.percent else 'RMS error'} {self._size(result.median)}"
        )

    def _counts(self, result: Result) -> str:
        """`0 of 3, 61.1 %`."""
        return f"{result.cured} of {len(result.trials)}, {self._size(result.median)}"

    def _size(self, metric: float) -> str:
        return f"{100 * metric:.1f} %" if self.percent else f"{metric:.3g}"

    def _table(self) -> Table:
        shares = self.prescription.failed
        columns = [
            Column("change"),
            Column("for"),
            Column("error", "%" if self.percent else "", "right", 3),
            Column("range", align="right"),
        ]
        columns += [
            Column("learned" if shares else "cured", align="right"),
            Column("work", "×", "right", 3),
        ]
        told = "median over seeds, and the range; " + (
            "in how many the run learned" if shares else "in how many the findings are gone"
        )
        return Table(
            columns,
            [self._row(result) for result in self.tried.results],
            f"Error of the validation part: {told}; work of training beside the run's.",
        )

    def _row(self, result: Result) -> list[Cell]:
        scale = 100.0 if self.percent else 1.0
        low, high = (scale * end for end in result.span)
        count = f"{result.cured} of {len(result.trials)}"
        tone = Toned(count, "good" if result.cures else "neutral")
        name = result.treatment.change or {
            "as it is": "as it is",
            "defaults": "plain defaults",
        }.get(result.treatment.role, "")
        chosen = result is self.tried.cure
        return [
            Toned(name, "good") if chosen else name,
            ", ".join(result.treatment.codes),
            scale * result.median,
            f"{low:.3g} to {high:.3g}",
            tone,
            result.work,
        ]


def _data(
    diagnosis: Diagnosis,
    prescription: Prescription,
    tried: Tried,
    written: str,
    proof: Proof | None,
) -> dict[str, Any]:
    cure, defaults = tried.cure, tried.defaults
    return {
        "schema": SCHEMA,
        "path": diagnosis.path,
        "diagnosis": diagnosis.to_json(),
        "treated": list(prescription.codes),
        "by_outcome": prescription.failed,
        "complete": tried.complete,
        "tried": len(tried.changes),
        "planned": tried.planned,
        "results": [_result_data(result) for result in tried.results],
        "cure": None if cure is None else _result_data(cure),
        "defaults": None if defaults is None else _result_data(defaults),
        "defaults_better": tried.defaults_better,
        "proof": None if proof is None else proof.to_json(),
        "written": written or None,
    }


def _result_data(result: Result) -> dict[str, Any]:
    remedy = result.treatment.remedy
    low, high = result.span
    return {
        "role": result.treatment.role,
        "change": result.treatment.change or None,
        "patch": dict(remedy.patch) if remedy else {},
        "why": remedy.why if remedy else None,
        "codes": list(result.treatment.codes),
        "error": result.median,
        "low": low,
        "high": high,
        "seeds": len(result.trials),
        "cured": result.cured,
        "work": result.work,
        "still": sorted(
            {
                finding.code
                for trial in result.trials
                for finding in trial.findings or ()
                if finding.severity != "info"
            }
        ),
    }


def head_of_cure(path: str, chosen: Result, before: Result, complete: str = "") -> list[str]:
    """What the head of the written configuration says: whose it is, what differs, before and
    after. complete: empty where all was tried.
    """
    whose = " ".join(path.split())
    of = (
        f"The configuration of {whose}, cured{complete}"
        if chosen.treatment.remedy
        else f"Plain defaults on the data of {whose}, as nothing cured{complete}"
    )
    codes = f" of {', '.join(chosen.treatment.codes)}" if chosen.treatment.codes else ""
    return [
        (
            f"{of}{codes}. Only what is not as by default stands here; what differs from the run "
            "is marked CHANGED."
        ),
        f"Error, median over {counted(len(chosen.trials), 'seed')}: {before.median:.4g} "
        f"before, {chosen.median:.4g} after; "
        f"cured in {chosen.cured} of {len(chosen.trials)}, as it is in {before.cured}.",
    ]


def reasons_of(chosen: Result, changed: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Why each changed key has its value, by `table.key`. changed: (key, value that the run
    had).
    """
    remedy = chosen.treatment.remedy
    codes = f" for {', '.join(chosen.treatment.codes)}" if chosen.treatment.codes else ""
    return {
        key: f"CHANGED from {was or 'none'}{codes}: {remedy.why if remedy else 'as by default'}"
        for key, was in changed
    }
