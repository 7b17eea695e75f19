"""Measurements behind the documents' figures: one file a question, `python -m benchmarks.NAME`."""
