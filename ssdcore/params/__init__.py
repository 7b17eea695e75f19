"""The parameters: the schema of params.yaml, its types and its reader."""
