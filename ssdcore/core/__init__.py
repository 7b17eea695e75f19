"""The tools of every stage: paths, files, errors, the command line, progress, signals."""
