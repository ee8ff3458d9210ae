collect_ignore = ["isolated"]  # pydantic_ai_cases.py runs them in the environment of pydantic-ai
