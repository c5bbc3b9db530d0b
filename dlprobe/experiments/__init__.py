"""One file per experiment: which configurations to run, which analysis answers the question.

May import `executors`, `training`, `analysis`, `runs`, `rules`, `parts`, and like everybody
`errors`, `registry`, `config`.
"""
