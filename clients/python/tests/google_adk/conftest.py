collect_ignore = ["isolated"]  # google_adk_cases.py runs them in the environment of google-adk
