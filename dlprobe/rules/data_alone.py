"""Judging data before anything is trained on them: the rules of data, the same ones, look at a
run without a step, kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from dlprobe.analysis.learning.learned import Learning
from dlprobe.config import RunConfig, to_mapping
from dlprobe.record.description import LayerFacts, RunDescription
from dlprobe.rules.evidence import Evidence
from dlprobe.rules.judging import Judgement, Selection, collected
from dlprobe.runs import RunWriter
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.reader import Run
from dlprobe.runs.sources import MemorySource

RULES = "D"  # what begins with it is about data


class DataEvidence(Evidence):
    """What is known before training: how well a run learned excuses and accuses nothing."""

    @cached_property
    def learning(self) -> Learning:
        """The learning of a run that has not learned: no excuse for what rules find."""
        unknown = np.array([np.nan])
        return Learning(
            task=str(self.run.data.get("task", "classification")),
            steps=np.zeros(1, np.int64),
            loss=unknown,
            val_loss=unknown,
            error=unknown,
            val_error=unknown,
            skill=unknown,
            val_skill=unknown,
            chance=np.nan,
            ceiling=1.0,
            updates=0,
            needed=0,
            evaluated=False,
        )


def judge_data(config: RunConfig, data: Mapping[str, Any]) -> Judgement:
    """What the rules of data say. `data`: as a run file would hold them, by the names of the layout
    table.

    A rule that needs a trained net says so and is not evaluated.
    """
    run = untrained_run(config, data)
    evidence = DataEvidence(run)
    return collected({rule.code: rule.apply(evidence) for rule in Selection(select=(RULES,)).rules})


def untrained_run(config: RunConfig, data: Mapping[str, Any]) -> Run:
    """A run in memory that ended before its first step: of the net only the output is known."""
    description = RunDescription(
        (LayerFacts("output"),),
        config=to_mapping(config),
        data=data,
        initial_parameters=np.zeros(1, np.float32),
    )
    with RunWriter.create(None, description) as writer:
        writer.end("finished", {"steps_done": 0})
        content = writer.bytes()
    return Run(JournalContents(MemorySource(content, str(data.get("name", "data"))), running=False))
