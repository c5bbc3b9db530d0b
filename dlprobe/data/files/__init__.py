"""File formats: one file per format. A new format is a new file here that registers a FileFormat.

Every reader takes a path and the `[data]` options and returns a Dataset, or raises DataError: one
line naming file, row and column.
May import `dlprobe.data`'s tables, arrays and places; polars and hdf5 inside functions only.
"""
