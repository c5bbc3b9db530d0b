"""The quiz: which answers are right is measured; whoever answers so is told so."""

from __future__ import annotations

import functools
import io

import pytest
from command_line import dlprobe

from dlprobe.experiments import quiz
from dlprobe.training.stopping import Stop

# What theory says of each net at its depth: σ' ≤ 1/4, ReLU halves, σ_w = 4, 2.4 and √2 + 1.
STATES = {
    ("64x10", "sigmoid", "glorot_normal", "none"): "vanishing",
    ("64x30", "relu", "glorot_normal", "none"): "vanishing",
    ("64x20", "relu", "normal(std=0.3)", "none"): "exploding",
    ("64x20", "tanh", "glorot_tanh4_normal", "none"): "exploding",
    ("64x20", "relu", "he_normal", "identity"): "exploding",
    ("64x20", "relu", "he_normal", "none"): "healthy",
    ("64x5", "tanh", "glorot_normal", "none"): "healthy",
}


@functools.cache
def asked() -> list[quiz.QuizQuestion]:
    return quiz.questions(0, len(quiz.CASES), 1, Stop())


def test_the_measured_state_is_what_theory_says_and_some_cure_is_best() -> None:
    for question in asked():
        assert quiz.STATES[question.state] == STATES[tuple(question.net.values())]
        assert {case.why for case in quiz.CASES} >= set(question.whys)
        assert len(set(question.outcomes)) == quiz.OPTIONS  # no two cures are one net
        errors = [error for _, error in question.outcomes]
        assert errors.index(min(errors)) in question.best


def test_answers_are_judged_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = asked()[:3]
    monkeypatch.setattr(quiz, "questions", lambda *how: chosen)
    right = [place + 1 for each in chosen for place in (each.state, each.why, each.best[0])]
    for lines, score in ((right, 9), (["none of it", *right], 9), ([], 0)):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        outcome = dlprobe("recipe", "--quiz")
        assert (outcome.code, f"{score} of 9 right" in outcome.out) == (0, True), outcome.err
        assert ("Type a number from 1 to 3" in outcome.out) == (len(lines) > 9)
    assert dlprobe("recipe", "--quiz", "--data", "wine").code == 2
    assert dlprobe("recipe", "--quiz", "--format", "json").code == 2
