"""Boxes, default boxes, matching and coding: NumPy only, no device."""
