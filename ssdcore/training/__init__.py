"""Training: loop, step, optimiser, schedule, saved state, several processes."""
