"""The textbook grid of the detection benchmark trained in PyTorch and recorded, beside dlprobe's
own runs: the same verdicts.

Both begin with the same weights and see the same batches. What is compared: state and cause of the
diagnosis, case by case; and for each rule that dlprobe's own run lets look, whether it fired (as
error or warning) or passed, *not evaluated* counted as different.
"""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import dlprobe
from dlprobe.config import RunConfig, from_options
from dlprobe.data import PreparedData, load, prepare
from dlprobe.nn.random import epoch_order
from dlprobe.rules import diagnose, judge
from dlprobe.runs import Run, RunWriter
from dlprobe.training import trainer
from dlprobe.training.describe import describe
from tests.detection.cases import Case, grid

COUNT = 45
SHARE = 0.95
KEPT = Path(__file__).with_name("detection.json")


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train `count` cases of the grid both ways; results are kept, those of the cases done so
    far while it runs.
    """
    import torch

    torch.set_num_threads(1)
    cases = grid()
    rows: list[dict[str, Any]] = []
    for case in random.Random(seed).sample(
        cases, min(count, len(cases))
    ):  # in a random order, so that those done so far are a fair share
        rows.append(compared(case, seed, folder))
        found, share = counted(rows)
        KEPT.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return {
        **found,
        "failed": []
        if share >= SHARE
        else [f"{share:.1%} of the rules' outcomes are the same, expected {SHARE:.0%}"],
    }


def counted(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """What is kept of the cases done, and the share of the rules' outcomes that are the same."""
    import torch

    headlines, rules = ([row[kind] for row in rows] for kind in ("same_diagnosis", "same_rules"))
    same, looked = (
        sum(len(each) - len(row["different"]) for each, row in zip(rules, rows, strict=True)),
        sum(map(len, rules)),
    )
    found = {
        "torch": torch.__version__,
        "cases": len(rows),
        "same_diagnosis": f"{sum(headlines)} of {len(rows)}",
        "same_outcome_of_rules": f"{same} of {looked}",
        "different": {row["case"]: row["told"] for row in rows if row["told"]},
    }
    return found, same / looked


def compared(case: Case, seed: int, folder: Path) -> dict[str, Any]:
    """Verdicts of one case, and in what they differ."""
    config = from_options(None, {**case.options, "seed": str(seed)})
    data = prepare(load(config.data, seed), config.data, seed, config.training.dtype)
    own, foreign = folder / f"{case.name}-own.h5", folder / f"{case.name}-torch.h5"
    trained_twice(config, data, own, foreign)
    verdicts = []
    for path in (own, foreign):
        with opened(path) as opened_run:
            judgement = judge(opened_run)
            diagnosis = diagnose(opened_run, judgement, "")
            fired = {finding.code for finding in judgement.findings if finding.severity != "info"}
            outcome = dict.fromkeys(judgement.not_evaluated, "not evaluated") | dict.fromkeys(
                judgement.passed, "passed"
            )
            outcome |= {finding.code: "passed" for finding in judgement.findings} | dict.fromkeys(
                fired, "fired"
            )
            verdicts.append(
                (
                    diagnosis.state.name,
                    "" if diagnosis.cause is None else diagnosis.cause.code,
                    outcome,
                )
            )
        path.unlink()
    mine, its = verdicts
    could = [code for code, outcome in mine[2].items() if outcome != "not evaluated"]
    different = {
        code: f"{mine[2][code]} / {its[2].get(code, 'passed')}"
        for code in could
        if its[2].get(code, "passed") != mine[2][code]
    }
    same = mine[:2] == its[:2]
    told = {
        **({} if same else {"diagnosis": f"{' '.join(mine[:2])} / {' '.join(its[:2])}"}),
        **different,
    }
    return {
        "case": case.name,
        "same_diagnosis": same,
        "same_rules": could,
        "different": different,
        "told": told,
    }


def opened(path: Path) -> Run:
    found = dlprobe.open_run(path)
    assert isinstance(found, Run)
    return found


def trained_twice(config: RunConfig, data: PreparedData, own: Path, foreign: Path) -> None:
    """dlprobe's run, and that of a PyTorch model with the same initial weights on the same
    batches.
    """
    session = trainer.start(config, data)
    with RunWriter.create(own, describe(session)) as writer:
        model = twin(config, session.network)
        trainer.run(session, writer)
        writer.pack()
    train_torch(config, data, model, foreign)


def twin(config: RunConfig, network: Any) -> Any:
    """The same net in PyTorch."""
    import torch

    made = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[
        config.model.activations[0].name
    ]
    norm = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm}.get(
        "" if config.model.norm is None else config.model.norm.name
    )
    weights = [np.array(network.weights(index)) for index in range(len(network.layers))]
    parts: list[Any] = []
    for index, pair in enumerate(
        pairwise([weights[0].shape[0], *(each.shape[1] for each in weights)])
    ):
        linear = torch.nn.Linear(*pair)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(weights[index].T))
            biases = np.array(network.biases(index))
            linear.bias.copy_(torch.tensor(biases) if biases.size else torch.zeros(pair[1]))
        hidden = index < len(weights) - 1
        parts += [
            linear,
            *([norm(pair[1])] if hidden and norm is not None else []),
            *([made()] if hidden else []),
        ]
    return torch.nn.Sequential(*parts)


def train_torch(config: RunConfig, data: PreparedData, model: Any, path: Path) -> None:
    """Adam as configured, evaluated after every epoch, recorded at every step."""
    import torch

    x = {part: torch.tensor(np.asarray(data.inputs[part])) for part in ("train", "val")}
    y = {
        part: torch.tensor(np.asarray(data.targets[part]).astype(np.int64))
        for part in ("train", "val")
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=config.training.resolved_lr)
    samples, batch = len(x["train"]), int(config.training.batch_size)
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True) as rec:
        rec.data(x["train"], y["train"], x["val"], y["val"])
        rec.evaluation(**evaluated(model, x, y))
        for epoch in range(config.training.epochs or 1):
            order = torch.tensor(
                np.asarray(epoch_order(config.training.seed, epoch, samples)).astype(np.int64)
            )
            for chosen in order.split(batch):
                loss = torch.nn.functional.cross_entropy(
                    model(x["train"][chosen]), y["train"][chosen]
                )
                if not torch.isfinite(loss):
                    return
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                rec.loss(loss)
            rec.evaluation(**evaluated(model, x, y))


def evaluated(model: Any, x: dict[str, Any], y: dict[str, Any]) -> dict[str, float]:
    """Losses and errors of both parts in evaluation mode."""
    import torch

    model.eval()
    found = {}
    with torch.no_grad():
        for part in x:
            logits = model(x[part])
            found[f"{part}_loss"] = float(torch.nn.functional.cross_entropy(logits, y[part]))
            found[f"{part}_error"] = float((logits.argmax(1) != y[part]).float().mean())
    model.train()
    return found
