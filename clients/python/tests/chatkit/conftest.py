collect_ignore = ["isolated", "overrides"]  # chatkit_cases.py runs them in the environment of openai-chatkit
