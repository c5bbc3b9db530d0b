"""The quiz: a profile is shown, the reader answers line by line, and sees what was measured."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dlprobe.commands.base.executing import Execution
from dlprobe.commands.base.screen import Screen
from dlprobe.commands.base.study_driver import training
from dlprobe.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    pass

QUESTIONS = 3


def ask(seed: int, execution: Execution, screen: Screen) -> ExitCode:
    """Ask, and say how many answers were right. Where the input ends, the answers are shown."""
    from dlprobe.experiments.laboratory import Stopped
    from dlprobe.experiments.quiz import STATES, questions
    from dlprobe.reports import quiz as report

    if screen.format != "table":
        raise ConfigError(f"--quiz asks on the screen: expected no --format {screen.format}")
    try:
        with training("training the nets of the quiz", "runs", execution, screen) as means:
            quiz = questions(seed, QUESTIONS, means.threads, means.stop)
    except Stopped:
        return screen.interrupted(" before the first question")
    right = 0
    for number, question in enumerate(quiz, start=1):
        screen.show(report.profile(question, number, len(quiz)))
        right += answered(screen, "What is this?", STATES, [question.state])
        screen.show(report.net(question))
        right += answered(screen, "Why?", question.whys, [question.why])
        change = "Which makes it learn best in three epochs?"
        right += answered(screen, change, question.cures, question.best)
        screen.show(report.measured(question))
    screen.show(report.score(right, 3 * len(quiz), seed))
    return ExitCode.DONE


def answered(screen: Screen, text: str, options: Sequence[str], best: Iterable[int]) -> bool:
    """Show what may be answered, read a line, say what is right; whether it was answered."""
    from dlprobe.reports import quiz as report

    screen.show(report.choices(text, options))
    places = set(best)
    line = sys.stdin.readline()
    while line and line.strip() not in map(str, range(1, len(options) + 1)):
        screen.show(report.again(len(options)))
        line = sys.stdin.readline()
    place = int(line) - 1 if line else None
    screen.show(report.answer([options[place] for place in sorted(places)], place in places, place))
    return place in places
