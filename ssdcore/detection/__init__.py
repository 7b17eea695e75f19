"""From network outputs to detections and their metrics: NumPy and OpenCV only."""
