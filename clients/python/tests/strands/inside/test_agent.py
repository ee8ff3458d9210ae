"""A real agent that is killed while it speaks goes on in a new process."""

import json
import os
import subprocess
import sys
from pathlib import Path

TALKER = str(Path(__file__).with_name("talker.py"))


def test_a_killed_agent_resumes_with_the_whole_conversation(owner):
    with subprocess.Popen([sys.executable, TALKER, owner, "talk"], stdout=subprocess.PIPE, text=True) as talking:
        said = [talking.stdout.readline().strip() for _ in range(2)]
        assert said == ["remembered", "speaking"]
        os.kill(talking.pid, 9)
    done = subprocess.run([sys.executable, TALKER, owner, "resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(message["role"], *map(list, message["content"])) for message in found["messages"]] == [
        ("user", ["text"]),
        ("assistant", ["toolUse"]),
        ("user", ["toolResult"]),
        ("assistant", ["text"]),
        ("user", ["text"]),
    ]
    texts = [message["content"][0]["text"] for message in found["messages"][::2] if "text" in message["content"][0]]
    assert texts == ["Remember seven.", "And what is it?"]
    assert found["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "7 is remembered"}]
    assert found["state"] == {"number": 7}
    assert found["answer"].strip() == "Seven."
    assert found["count"] == 7
