"""Bias and variance of a learner over training sets, and the textbook reading of one run."""
