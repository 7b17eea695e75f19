"""Checks the machine and the pipeline; each finding names the problem and the remedy."""
