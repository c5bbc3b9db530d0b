"""The compiled engine: turns the records of `parts` into Numba kernels and runs blocks of whole
training steps.

The only folder that imports numba. May import `parts`, and like everybody `errors`, `registry` and
`config`.
"""
