collect_ignore = ["isolated"]  # test_claude_agent_sdk_suite.py runs them in the environment of claude-agent-sdk
