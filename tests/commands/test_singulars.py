"""One of a kind is told in the singular: what commands print of a net with one unit, one step
and one seed.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from command_line import dlprobe

ONE = "--data wine --steps 1"
LINES = (
    f"train {ONE} --layers 1 -o a.h5",
    "inspect a.h5 --details",
    "inspect a.h5 --statistic batch_loss",
    "check a.h5 --details",
    "bias-variance a.h5",
    "prescribe a.h5 --seeds 1 --tries 1",
    (
        f"gradients {ONE} --depth 1 --width 1 --activation relu --init he_normal --norm none "
        "--seeds 1 -o g.h5"
    ),
    "gradients g.h5 --details",
    "check g.h5",
    "diff a.h5 g.h5",
    "inspect g.h5 --statistic weight_rms",
    f"compare init he_normal zeros {ONE} --seeds 1",
    f"lr-find {ONE}",
    "summary a.h5",
)
PLURAL = re.compile(
    r"(?<![\w.,×_=-])(?<!of )1 "
    r"((?!class|loss|bias|less|across|axis|basis|is\b|was\b|has\b)[a-z][a-z-]*s)\b"
)


def test_the_pattern_sees_a_plural() -> None:
    assert PLURAL.findall(
        "after 1 updates; 11 runs, 0.1 layers, 1 step, in 1 of 3 runs, 1 runs"
    ) == ["updates", "runs"]


def test_one_is_not_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = []
    for line in LINES:
        outcome = dlprobe(*shlex.split(line))
        assert outcome.code in (0, 1), (line, outcome.err)
        wrong += [
            (line, found)
            for found in PLURAL.findall(" ".join(f"{outcome.out} {outcome.err}".split()))
        ]
    assert wrong == []
