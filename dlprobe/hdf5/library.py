"""h5py, loaded with HDF5's plugins switched off: a plugin found through an environment variable
would be code that runs on opening a file.
"""

from __future__ import annotations

import os

# read once, when the HDF5 library starts: so before h5py is imported
os.environ["HDF5_PLUGIN_PRELOAD"] = "::"

import h5py
from h5py import h5a, h5d, h5ds, h5f, h5fd, h5g, h5i, h5l, h5o, h5p, h5s, h5t, h5z

__all__ = [
    "h5a",
    "h5d",
    "h5ds",
    "h5f",
    "h5fd",
    "h5g",
    "h5i",
    "h5l",
    "h5o",
    "h5p",
    "h5py",
    "h5s",
    "h5t",
    "h5z",
]
