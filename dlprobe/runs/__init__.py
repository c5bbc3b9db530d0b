"""Run and study files: the layout table, the journal that grows while a run trains, packing into
HDF5, and one reader for both.

May import `hdf5` besides errors, registry and config; h5py itself is loaded only when a packed file
is read or written.
"""

from dlprobe.record.description import RunDescription
from dlprobe.runs.opening import open_run, open_single
from dlprobe.runs.pack import pack_journal
from dlprobe.runs.reader import Run
from dlprobe.runs.study import Study
from dlprobe.runs.study_writer import StudyWriter
from dlprobe.runs.writer import RunWriter

__all__ = [
    "Run",
    "RunDescription",
    "RunWriter",
    "Study",
    "StudyWriter",
    "open_run",
    "open_single",
    "pack_journal",
]
