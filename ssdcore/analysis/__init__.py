"""What the detections of a split say beyond COCO's figures: NumPy only."""
