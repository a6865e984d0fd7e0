"""What people call: `jit`, the derivatives, configuration. `arignote` re-exports it."""
