"""What every stage stands on: paths, files, errors, the command line, progress, signals."""
