"""One Typer command a stage over ssdcore; run as `python -m stages.NAME`."""
