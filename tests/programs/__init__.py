"""Real programs of 10 to 80 lines, each run plain, compiled, differentiated and mapped, and compared."""
