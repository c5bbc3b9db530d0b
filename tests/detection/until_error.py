"""`python -m tests.detection.until_error`: what would `inspect --follow --until error` stop?

Runs of the benchmark are trained once, one seed each, and looked at again at 24 moments, a frame of
the journal each, as a follower would have seen them. Counted: runs that ended without having
learned and with an error, how many of them it stops and after which share of their steps; and runs
that learned, none of which it may stop. Whether a run learned says outcomes.json, by its seed.

--first N       only the first N cases of the order of `prescribe`
--cases TEXT    only cases whose name holds TEXT
--seed 0        of every case
--folder DIR    where the data sets are made
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from dlprobe.rules import diagnose, judge
from dlprobe.rules.certainty import certain, planned_steps, seen
from dlprobe.runs import Run
from dlprobe.runs.frames import FrameType, scan
from dlprobe.runs.journal_contents import JournalContents
from dlprobe.runs.sources import MemorySource

from .__main__ import OUTCOMES
from .cases import Case, all_cases
from .datasets import write_all
from .prescribe import ORDER_SEED
from .training import options_of, trained

LOOKS = 24


@dataclass(frozen=True)
class Replay:
    """share: of its steps after which a run is stopped by the rule `code`; None where it is not.
    errors: whether its end has an error.
    """

    learned: bool
    errors: bool
    share: float | None
    code: str = ""


def main() -> int:
    """Train, look, count, print; 1 where a run that learned is stopped."""
    options = _parsed()
    write_all(options.folder / "data")
    labels = json.loads(OUTCOMES.read_text(encoding="utf-8"))["cases"]
    cases = [case for case in all_cases() if options.cases in case.name]
    random.Random(ORDER_SEED).shuffle(cases)
    replays = []
    for case in cases[: options.first]:
        learned = labels[case.name]["labels"][options.seed] == "learned"
        replays.append(replayed(case, options.seed, options.folder, learned))
        found = replays[-1]
        ending = "not stopped" if found.share is None else f"{found.code} at {found.share:.0%}"
        print(f"{case.name}: {'learned' if learned else 'ill'}, {ending}", file=sys.stderr)
    print(json.dumps(counted(replays), indent=1))
    return int(any(replay.learned and replay.share is not None for replay in replays))


def replayed(case: Case, seed: int, folder: Path, learned: bool) -> Replay:
    """One run, looked at while its journal grows."""
    journal = trained(options_of(case, folder), seed)
    scanned = scan(MemorySource(journal)).frames
    rows = [frame.end for frame in scanned if frame.type == FrameType.ROWS]
    ends = [rows[(len(rows) * number) // LOOKS] for number in range(LOOKS)]
    whole = Run(JournalContents(MemorySource(journal)))
    last, looks = int(whole.steps[-1]), []
    for end in sorted(set(ends)):
        run = Run(JournalContents(MemorySource(journal[:end]), running=True))
        judgement = judge(run)
        looks.append(seen(run, judgement, diagnose(run, judgement, case.name)))
        if (finding := certain(looks, planned_steps(run))) is not None:
            return Replay(learned, True, (looks[-1].step + 1) / (last + 1), finding.code)
    return Replay(learned, any(f.severity == "error" for f in judge(whole).findings), None)


def counted(replays: list[Replay]) -> dict[str, object]:
    """What was stopped, by how the runs ended."""
    hopeless = [replay for replay in replays if not replay.learned and replay.errors]
    stopped = [replay for replay in hopeless if replay.share is not None]
    shares = sorted(replay.share for replay in stopped if replay.share is not None)
    return {
        "runs": len(replays),
        "ended_without_learning_and_with_an_error": len(hopeless),
        "stopped": len(stopped),
        "mean_share_of_steps": round(sum(shares) / len(shares), 3) if shares else None,
        "learned": sum(replay.learned for replay in replays),
        "learned_and_stopped": sum(r.learned and r.share is not None for r in replays),
    }


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.detection.until_error")
    parser.add_argument("--first", type=int, metavar="N")
    parser.add_argument("--cases", default="", metavar="TEXT")
    parser.add_argument("--seed", type=int, default=0)
    default = Path(tempfile.gettempdir()) / "dlprobe-detection"
    parser.add_argument("--folder", type=Path, default=default, metavar="DIR")
    return parser.parse_args()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    raise SystemExit(main())
