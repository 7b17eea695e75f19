"""The only package that uses DVC: dvc.lock, revisions, experiments, repeated runs.

Importing DVC takes most of a second, so functions import it where they use it.
"""
