"""The network: backbone, heads, losses, checkpoints and published weights."""
