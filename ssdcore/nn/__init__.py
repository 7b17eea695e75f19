"""The network, its losses and its training: the only users of MindSpore's nn."""
