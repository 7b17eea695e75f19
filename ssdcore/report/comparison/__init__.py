"""Compares revisions on one page: parameters, metrics, and detections on the same images."""
