"""A real agent that is killed in the middle of an answer continues in a new process."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(__file__).with_name("agent_process.py"))


def test_a_killed_agent_resumes_with_the_whole_conversation(owner):
    with subprocess.Popen([sys.executable, PROGRAM, owner, "start"], stdout=subprocess.PIPE, text=True) as process:
        printed = [process.stdout.readline().strip() for _ in range(2)]
        assert printed == ["stored", "answering"]
        os.kill(process.pid, 9)
    completed = subprocess.run([sys.executable, PROGRAM, owner, "resume"], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    result = json.loads(completed.stdout)
    assert [(message["role"], *map(list, message["content"])) for message in result["messages"]] == [
        ("user", ["text"]),
        ("assistant", ["toolUse"]),
        ("user", ["toolResult"]),
        ("assistant", ["text"]),
        ("user", ["text"]),
    ]
    texts = [message["content"][0]["text"] for message in result["messages"][::2] if "text" in message["content"][0]]
    assert texts == ["Remember seven.", "And what is it?"]
    assert result["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "7 is stored"}]
    assert result["state"] == {"number": 7}
    assert result["answer"].strip() == "Seven."
    assert result["count"] == 7
