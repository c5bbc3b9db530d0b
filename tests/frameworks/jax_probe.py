"""The probe of a Keras model on the jax backend, in a process of its own: dL/dW = xᵀ dL/dz,
every statistic as dlprobe's engine has it, nothing touched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COUNT = 3
TOLERANCE = 1e-5


def run(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Probe `count` models."""
    here = Path(__file__).parent.parent
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)]),
    }
    command = [
        sys.executable,
        "-m",
        "tests.frameworks.jax_probe",
        str(count),
        str(seed),
        str(folder),
    ]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=here.parent
    )
    if result.returncode:
        return {"failed": [result.stderr[-2000:]]}
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def probed(seed: int, path: Path) -> list[str]:
    """What is wrong with the probe of one model."""
    import jax
    import keras
    import numpy as np
    import recorded_torch
    from recorded_torch import Loop, Trained

    import dlprobe

    keras.utils.set_random_seed(seed)
    sizes = recorded_torch.SIZES
    hidden = [keras.layers.Dense(units, activation="relu") for units in sizes[1:-1]]
    model = keras.Sequential(
        [
            keras.layers.Input((sizes[0],)),
            *hidden,
            keras.layers.Dense(sizes[-1], activation="softmax"),
        ]
    )
    x, y = recorded_torch.batches(seed, 1)[0]
    batch = (x.numpy(), y.numpy())
    before = [np.array(each) for each in model.variables]

    def loss(output: Any, targets: Any) -> Any:
        return keras.ops.mean(keras.losses.sparse_categorical_crossentropy(targets, output))

    with dlprobe.recorders.Probe(model, loss, batch, path) as probe:
        probe(0)
        wrong = [] if _products(probe, jax, np) else ["dL/dW is not xᵀ dL/dz"]
    wrong += (
        []
        if all(
            np.array_equal(one, np.array(other))
            for one, other in zip(before, model.variables, strict=True)
        )
        else ["the model was changed"]
    )
    expected = recorded_torch.own_rows(Trained(model, [before], [(x, y)]), Loop())
    expected = {
        name: numbers
        for name, numbers in expected.items()
        if name not in ("update_ratio", "gradient_norm")
    }
    with recorded_torch.opened(path) as run:
        apart = recorded_torch.differences(run, expected)
    return wrong + [
        f"{name} is {number:.2g} apart" for name, number in apart.items() if not number < TOLERANCE
    ]


def _products(probe: Any, jax: Any, np: Any) -> bool:
    """Whether the gradient of every kernel is the product of the layer's input and its error
    signal.
    """
    taps = {name: jax.numpy.zeros(shape, dtype) for name, (shape, dtype) in probe._shapes.items()}
    (_, shown), (gradients, signals) = jax.value_and_grad(probe._run, argnums=(0, 1), has_aux=True)(
        probe._trainable, taps
    )
    kernels = [gradient for gradient in gradients if gradient.ndim == 2]
    pairs = zip(probe._layers, kernels, strict=True)
    return all(
        np.allclose(
            np.asarray(shown[name]["x"]).T @ np.asarray(signals[name]), kernel, rtol=1e-5, atol=1e-7
        )
        for name, kernel in pairs
    )


if __name__ == "__main__":
    import jax
    import keras

    tries, first, where = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    failures = [
        f"seed {first + number}: {each}"
        for number in range(tries)
        for each in probed(first + number, where / f"{number}.h5")
    ]
    print(json.dumps({"keras": keras.__version__, "jax": jax.__version__, "failed": failures}))
