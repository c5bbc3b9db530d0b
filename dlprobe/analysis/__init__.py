"""Pure functions on arrays and records: mean-field theory, verdicts on depth profiles, what a decay
is made of.

Records in, frozen result records out; NumPy only, no files and no training. May import `runs` and
`parts`.
Import from the module: `theory` (predict), `fixed_points`, `gaussian` (moments), `profiles`
(classify), `decomposition` (decompose).
"""
