"""Detects objects in images: decoding, suppression, a detector for splits and for photos."""
