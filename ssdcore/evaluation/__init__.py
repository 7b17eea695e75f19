"""Analyses the detections in a split: thresholds, errors, sizes, calibration."""
