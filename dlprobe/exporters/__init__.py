"""What a run or study holds as files for other programs: one file of this folder per format, which
registers itself.

May import `runs` and `hdf5`, and polars and tensorboard, each only when its format is written.
"""
