"""Data: embedded and generated sets, the user's files, splitting and scaling.

`load` makes a Dataset from a configuration, `prepare` splits and scales it; a set is a record in
`sets/`, a file format a record in `files/`.
May import `errors`, `registry`, `config` and `hdf5`; the only folder beside the exporters that
imports polars, and only inside functions.
"""

from dlprobe.data.dataset import Dataset, Options, PreparedData, Scaler
from dlprobe.data.loading import load
from dlprobe.data.preparation import prepare

__all__ = ["Dataset", "Options", "PreparedData", "Scaler", "load", "prepare"]
