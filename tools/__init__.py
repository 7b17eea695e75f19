"""What make needs before anything is installed: standard library, Python 3.8 syntax."""
