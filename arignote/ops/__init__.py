"""What every operation means, one paragraph each, by family. `table.OPERATIONS` joins them."""
