"""The workloads, one module each; see `benchmarks.workload`."""
