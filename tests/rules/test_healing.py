"""A depth profile is a measurement: what was ill at first and healed is said with its step, and
accuses no run that learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rule_runs

from dlprobe.analysis.profiles.run_profile import run_profile
from dlprobe.render.document import Verdict
from dlprobe.reports.run import verdict_lines
from dlprobe.rules.healing import healed_step

STEPS, HEALS = 400, 120


def signal(ill: int) -> Any:
    """An error signal of hidden_1 … hidden_3 and the output that falls by 10⁻⁶ towards the
    input for so many steps, and is level from then on.
    """
    table = np.full((STEPS, 4), 0.1)
    table[:ill, :3] = [1e-7, 1e-4, 1e-1]
    return table


def test_the_step_is_found_to_within_a_stretch_of_the_course() -> None:
    run = rule_runs.made({"error_signal_rms": signal(HEALS)}, steps=STEPS)
    healed = healed_step(run, run_profile(run))
    assert healed is not None
    assert HEALS - STEPS / 40 <= healed <= HEALS + STEPS / 40


@pytest.mark.parametrize("ill", [0, STEPS])
def test_what_was_level_from_the_start_or_stays_ill_has_not_healed(ill: int) -> None:
    run = rule_runs.made({"error_signal_rms": signal(ill)}, steps=STEPS)
    assert healed_step(run, run_profile(run)) is None


def test_the_line_says_that_it_learned_and_when_it_healed_and_accuses_nobody() -> None:
    run = rule_runs.made({"error_signal_rms": signal(HEALS)}, steps=STEPS)
    profile = run_profile(run)
    assert profile is not None
    first = verdict_lines(profile, learned=True, healed=HEALS)[0]
    assert isinstance(first, Verdict)
    assert first.line.startswith("step 0: vanishing: ")
    assert first.line.endswith("; yet the run learned; within the band from step 120 on")
    assert first.tone == "neutral"
    accused = verdict_lines(profile)[0]
    assert isinstance(accused, Verdict)
    assert accused.tone == "bad"
