"""From images to detections: decoding, suppression, a detector for splits and for photos."""
