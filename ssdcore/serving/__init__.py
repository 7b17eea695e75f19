"""Packs, registers, compares and serves the trained detector as an MLflow model."""
