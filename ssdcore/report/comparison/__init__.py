"""Several revisions on one page: what they say, how they differ, the same images by each."""
