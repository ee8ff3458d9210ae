collect_ignore = ["inside", "replaced"]  # run in the peer's environment
