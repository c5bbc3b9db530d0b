"""Depth profiles of recorded runs: verdicts, what a decay is made of, theory beside measurement."""
