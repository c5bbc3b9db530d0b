"""Cases of the kinds that people report, with what is right to say of each: see `cases.py`.
`python -m tests.detection.reported` trains and counts.
"""
