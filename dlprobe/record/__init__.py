"""What a run is: statistics, scalars, layers, the layout of its file, one recorded step, its
description, and what takes its numbers.

Every ordered list stands here once; the engine, the run file, analysis and rules take names and
positions from it.
May import `errors`, `registry` and `config`; everybody may import it.
"""
