"""Runs against each other: values of an option, a baseline, two sides of a diff."""
