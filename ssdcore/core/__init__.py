"""What every stage uses: paths, files, errors, the command line, progress, signals."""
