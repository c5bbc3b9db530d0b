"""The manual: one Markdown file per page, read with `dlprobe explain PAGE`, and in `schemas` one
JSON Schema per kind of output.

May import errors and registry; `explain` and `list` find what lives here through the registry.
"""
