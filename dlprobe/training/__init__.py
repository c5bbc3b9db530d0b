"""One configuration in, one run out: build the net for the data, run blocks of steps, hand them to
a recorder, report progress.

May import `nn`, `parts`, `data`, `runs`, and like everybody `errors`, `registry`, `config`.
"""
