"""From a function of one element to a function of many: `Batcher.batch`."""
