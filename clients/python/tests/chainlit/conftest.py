collect_ignore = ["isolated"]  # chainlit_cases.py runs them in the environment of chainlit
