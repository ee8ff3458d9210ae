collect_ignore = ["isolated", "overrides"]  # test_strands_suite.py runs them in the environment of strands-agents
