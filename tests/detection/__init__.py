"""The detection benchmark: how often rules find what is wrong, and how often they accuse what is
not.

`python -m tests.detection` trains every case and counts. See `cases.py` for what is trained and
`__main__.py` for the options;
`reported/` for cases that people report, each with its right answer.
"""
