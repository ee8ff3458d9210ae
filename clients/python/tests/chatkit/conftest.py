collect_ignore = ["isolated", "overrides"]  # test_chatkit_suite.py runs them in the environment of openai-chatkit
