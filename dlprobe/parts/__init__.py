"""The vocabulary: one record per activation, initializer, normalization, optimizer, loss and
metric.

Plain Python and NumPy, no numba: the engine compiles these very functions, theory integrates them,
`explain` prints them, tests run them as slow twins.
May import `errors` and `registry` only.
"""
