"""COCO's formats and figures: annotation files, results, the twelve metrics."""
