collect_ignore = ["isolated", "overrides"]  # test_langgraph_suite.py runs them in the environment of langgraph
