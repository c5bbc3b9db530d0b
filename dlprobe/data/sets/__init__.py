"""Named data sets: one file per generated set, one for the embedded real ones. A new set is a new
file here that registers a NamedSet.

May import `dlprobe.data.named_sets` and the registry.
"""
