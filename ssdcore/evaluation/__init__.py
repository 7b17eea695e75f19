"""What goes wrong in a split: thresholds, errors, sizes, calibration."""
