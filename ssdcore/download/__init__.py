"""Files at an address as files on this machine."""
