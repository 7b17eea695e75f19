"""The network and what belongs to it: backbone, heads, losses, checkpoints."""
