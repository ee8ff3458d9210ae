collect_ignore = ["isolated"]  # fastapi_cases.py runs them in the environment of pydantic-ai
