"""`dlprobe import` of log files as the frameworks themselves write them: Keras's and Lightning's
CSVLogger, and the trainer_state.json of the Trainer of Transformers.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from command_line import dlprobe as command

import dlprobe

COUNT = 1
SAMPLES, EPOCHS = 64, 4
PACKAGES = ("torch", "keras", "lightning", "transformers")


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Every log once."""
    failed = [f"{name}: {each}" for name, made in LOGS.items() for each in judged(made, folder)]
    return {**{name: importlib.metadata.version(name) for name in PACKAGES}, "failed": failed}


def judged(made: Callable[[Path], tuple[Path, list[float]]], folder: Path) -> list[str]:
    """What is wrong with the run that a log became: its losses are those that training had."""
    log, losses = made(folder)
    outcome = command("import", str(log), "-o", str(folder / "run.h5"), "--force")
    if outcome.code:
        return [outcome.err]
    with dlprobe.open_run(folder / "run.h5") as imported:
        rows = np.asarray(imported.scalar("batch_loss")) if len(imported.steps) else np.empty(0)
        found = rows if len(rows) else np.asarray(imported.evaluations["train_loss"])
    found = found[np.isfinite(found)]
    if len(found) != len(losses) or not np.allclose(found, losses, rtol=1e-3):
        return [f"losses are {found}, expected {losses}"]
    checked = command("check", str(folder / "run.h5"))
    return [] if checked.code in (0, 1) else [checked.err]


def data() -> tuple[Any, Any]:
    torch.manual_seed(0)
    x = torch.randn(SAMPLES, 6)
    return x, (x[:, 0] > 0).long()


def keras_log(folder: Path) -> tuple[Path, list[float]]:
    """CSVLogger of `fit`."""
    import keras

    x, y = (each.numpy() for each in data())
    model = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(2, "softmax")])
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    log = folder / "keras.csv"
    logger = keras.callbacks.CSVLogger(str(log))
    losses = model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=[logger]).history["loss"]
    return log, [float(each) for each in losses]


def lightning_log(folder: Path) -> tuple[Path, list[float]]:
    """CSVLogger of a Trainer that logs every step."""
    import lightning
    from lightning.pytorch.loggers import CSVLogger

    losses: list[float] = []

    class Linear(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(6, 2)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

        def training_step(self, batch: Any) -> Any:
            loss = torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss)
            losses.append(float(loss.detach()))
            return loss

    dataset = torch.utils.data.TensorDataset(*data())
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        log_every_n_steps=1,
        logger=CSVLogger(folder, name="", version="lightning"),
        enable_model_summary=False,
        **quiet,
    )
    trainer.fit(Linear(), torch.utils.data.DataLoader(dataset, batch_size=16))
    return folder / "lightning" / "metrics.csv", losses


def transformers_log(folder: Path) -> tuple[Path, list[float]]:
    """trainer_state.json of a Trainer that logs every step."""
    import transformers

    class Linear(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(6, 2)

        def forward(self, x: Any, labels: Any) -> dict[str, Any]:
            logits = self.layer(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "trainer"),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=16,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    rows = [{"x": x, "labels": y} for x, y in zip(*data(), strict=True)]
    trainer = transformers.Trainer(Linear(), arguments, train_dataset=rows)
    trainer.train()
    log = folder / "trainer_state.json"
    trainer.state.save_to_json(str(log))
    return log, [float(each["loss"]) for each in trainer.state.log_history if "loss" in each]


LOGS = {"keras": keras_log, "lightning": lightning_log, "transformers": transformers_log}
