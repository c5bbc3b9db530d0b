"""A sick PyTorch network, recorded with its arrays: dlprobe's nearest net is as sick, and what is
said of it is proved.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from command_line import dlprobe as command
from recorded_torch import torch

import dlprobe

COUNT = 1


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Record, train the nearest net, prove, `count` times."""
    failed = [f"seed {seed + k}: {each}" for k in range(count) for each in proved(seed + k, folder)]
    return {"torch": torch.__version__, "failed": failed}


def proved(seed: int, folder: Path) -> list[str]:
    """What is wrong with the proof of one net: eight layers of 16 sigmoid units."""
    torch.manual_seed(seed)
    x = torch.randn(240, 6)
    y = (x[:, 0] > 0).long()
    sizes = [6, *[16] * 8, 2]
    parts: list[Any] = []
    for pair in pairwise(sizes):
        parts += [torch.nn.Linear(*pair), torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*parts[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    path, near = folder / f"torch{seed}.h5", folder / f"near{seed}.h5"
    with dlprobe.recorders.torch.record(model, optimizer, path, strict=True) as rec:
        rec.data(x[:192], y[:192], x[192:], y[192:], keep=True)
        for _ in range(20):
            for batch in torch.randperm(192).split(16):
                loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                rec.loss(loss)
    refused = command("check", str(path), "--prove")
    if refused.code != 2 or f"dlprobe train --like {path}" not in refused.err:
        return [f"--prove of the recorded run says {refused.err}"]
    if (trained := command("train", "--like", str(path), "-o", str(near))).code:
        return [trained.err]
    told = command("check", str(near), "--prove", "--format", "json").data["runs"][0]
    cause, verdict = told["diagnosis"]["cause"]["code"], told["proof"]["verdict"]
    return [] if (cause, verdict) == ("G001", "proved") else [f"cause {cause}: {verdict}"]
