"""Samples of the Gemini API, of its Python SDK, and of ADK."""

from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types as gemini

from scripts.format_samples.story import (
    ANSWER,
    CALL,
    IMAGE,
    QUESTION,
    RESULT,
    SOURCE,
    THOUGHT,
    USAGE,
    Entry,
    story_of,
    write,
)


def gemini_parts() -> tuple[Entry, ...]:
    call = {"functionCall": {"id": CALL["id"], "name": CALL["name"], "args": CALL["input"]}}
    result = {"functionResponse": {"id": CALL["id"], "name": CALL["name"], "response": RESULT}}
    return {"text": THOUGHT, "thought": True}, call, result, {"text": ANSWER}


def write_gemini() -> None:
    usage = {
        "promptTokenCount": USAGE["input"],
        "candidatesTokenCount": 8,
        "thoughtsTokenCount": 4,
        "totalTokenCount": 42,
    }
    grounding = {"groundingChunks": [{"web": {"uri": SOURCE["url"], "title": SOURCE["title"]}}]}
    thought, call, result, answer = gemini_parts()
    image = {"inlineData": {"mimeType": "image/png", "data": IMAGE}}

    def content(role: str, *parts: Entry) -> Any:
        return gemini.Content.model_validate({"role": role, "parts": list(parts)})

    def response(*parts: Entry) -> Any:
        candidate = {"content": {"role": "model", "parts": list(parts)}, "groundingMetadata": grounding}
        return gemini.GenerateContentResponse.model_validate({"candidates": [candidate], "usageMetadata": usage})

    story = [
        content("user", {"text": QUESTION}, image),
        response(thought, call),
        content("user", result),
        response(answer),
    ]
    about = {
        "video_metadata",
        "media_resolution",
        "thought",
        "thought_signature",
        "part_metadata",
        "media_processing",
        "speech_metadata",
    }
    kinds = [name for name in gemini.Part.model_fields if name not in about]
    for name, options in {"gemini_api": {"by_alias": True, "exclude_none": True}, "gemini_sdk": {}}.items():
        documents = [each.model_dump(mode="json", **options) for each in story]
        write(name, "google-genai", story_of(documents), [other_parts().model_dump(mode="json", **options)], kinds)


def other_parts() -> Any:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"fileData": {"fileUri": "https://tea.example/a.pdf", "mimeType": "application/pdf"}},
        {"toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"query": "Oslo"}}},
        {"toolResponse": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}}},
        {"audioTranscription": {"text": ANSWER}},
    ]
    return gemini.Content.model_validate({"role": "model", "parts": parts})


class FakeGemini(BaseLlm):
    """A model of ADK that calls the tool, and answers when it has the result."""

    async def generate_content_async(self, llm_request: LlmRequest, stream: bool = False) -> Any:
        thought, call, _, answer = gemini_parts()
        parts = [answer] if len(llm_request.contents) > 1 else [thought, call]
        usage = {"promptTokenCount": USAGE["input"], "candidatesTokenCount": USAGE["output"], "totalTokenCount": 42}
        content = {"role": "model", "parts": parts}
        yield LlmResponse.model_validate({"content": content, "usageMetadata": usage})


async def write_adk() -> None:
    def weather(city: str) -> dict[str, int]:
        """The weather in a city."""
        return RESULT

    runner = InMemoryRunner(LlmAgent(name="guide", model=FakeGemini(model="fake"), tools=[weather]), app_name="tests")
    session = await runner.session_service.create_session(app_name="tests", user_id="ann")
    content = gemini.Content(role="user", parts=[gemini.Part(text=QUESTION)])
    async for _ in runner.run_async(user_id="ann", session_id=session.id, new_message=content):
        pass
    kept = await runner.session_service.get_session(app_name="tests", user_id="ann", session_id=session.id)
    assert kept is not None
    camel = [event.model_dump(mode="json", by_alias=True, exclude_none=True) for event in kept.events]
    write("adk_events", "google-adk", story_of(camel))
    snake = [event.model_dump(mode="json") for event in kept.events]
    write("adk_dumps", "google-adk", story_of(snake))
