"""A file behind an address, fetched in as many attempts as it takes."""
