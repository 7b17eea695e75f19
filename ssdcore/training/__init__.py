"""The training loop and what it needs: step, optimizer, schedule, saved state."""
