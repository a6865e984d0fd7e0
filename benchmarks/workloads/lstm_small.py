"""The LSTM language model, small: hidden size 200, 20 steps."""

from benchmarks.workloads._lstm import workload

WORKLOAD = workload("lstm_small", 200, 20, with_compile=True)
