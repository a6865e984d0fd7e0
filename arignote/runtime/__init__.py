"""What compiled code needs at run time: entry, dispatch, buffers, threads, errors."""
