"""The LSTM language model, medium: hidden size 650, 35 steps."""

from benchmarks.workloads._lstm import workload

WORKLOAD = workload("lstm_medium", 650, 35, with_compile=False)
