collect_ignore = ["isolated"]  # test_openai_agents_suite.py runs them in the environment of openai-agents
