"""Where the runs of a study execute: threads of this process, or a Dask cluster.

May import `training`, `runs`, and like everybody `errors`, `registry`, `config`.
"""
