"""What live costs: memory of a quiet subscriber, CPU and latency of a delivered event, a streaming answer."""
