"""What a proof says: the verdict with its counts first, and what the sham was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlprobe.render.document import Block, Paragraph, Verdict

if TYPE_CHECKING:
    from dlprobe.experiments.proof_record import Proof


def proof_blocks(proof: Proof) -> list[Block]:
    """`proved: 5 of 5 seeds learn with init = he_normal, 0 of 5 with the sham
    (vanishing-gradient, G001)`, and how it was found out.
    """
    verdict = Verdict(proof_line(proof), "good" if proof.verdict == "proved" else "warning")
    steps = [
        Paragraph(f"before, with fewer causes undone: {proof_line(trial)}", below=True)
        for trial in proof.earlier
    ]
    return [verdict, *steps, Paragraph(sham_text(proof), below=True)]


def proof_line(proof: Proof) -> str:
    """The sentence and the cause that it is about."""
    if not proof.cause.beside:
        return f"{proof.sentence} ({proof.cause.name}, {proof.cause.code})"
    return (
        f"{proof.sentence} ({len(proof.cause.beside) + 1} causes together: {proof.cause.sentence})"
    )


def sham_text(proof: Proof) -> str:
    """What was done in place of the cure, so that it can be compared."""
    best = (
        f", {proof.restarts} times for equal work, the best of which counts"
        if proof.restarts > 1
        else ""
    )
    told = f"sham: the run as it is, from other weights and in another order of samples{best}"
    known = (
        "; to learn is here to come near the best of these and of plain defaults"
        if proof.defaults
        else ""
    )
    return told + known
