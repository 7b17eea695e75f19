"""The parameters: the schema of params.yaml and its reader."""
