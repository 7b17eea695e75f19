"""One Typer command per stage, on the library ssdcore; run as `python -m stages.NAME`."""
