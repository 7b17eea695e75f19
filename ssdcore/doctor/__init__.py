"""What may be wrong with the machine or the pipeline, and how to mend it."""
