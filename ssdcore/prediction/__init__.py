"""Photos, videos and cameras through a detector."""
