"""Searches over parameters: Optuna proposes trials, DVC runs them."""
