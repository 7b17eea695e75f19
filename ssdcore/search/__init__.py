"""A search over parameters: Optuna proposes, DVC's temporary runs do the work."""
