"""The cost of live delivery: memory of an idle subscriber, CPU and latency of a delivered event, a streaming answer."""
