"""The trained detector as an MLflow model: packed, registered, compared and served."""
