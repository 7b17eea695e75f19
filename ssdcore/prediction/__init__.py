"""Applies a detector to photos, videos and cameras, and writes drawn copies and predictions."""
