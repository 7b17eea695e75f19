"""Fetches files by their address and keeps them in the user's cache."""
