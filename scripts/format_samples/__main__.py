"""Writes the samples of the formats that Python packages define: `python -m scripts.format_samples`."""

import asyncio

from scripts.format_samples import (
    gemini_samples,
    langchain_samples,
    providers_samples,
    pydantic_ai_samples,
    responses_samples,
)

providers_samples.write_anthropic()
providers_samples.write_strands()
providers_samples.write_chat_completions()
responses_samples.write_responses()
responses_samples.write_conversations()
langchain_samples.write_langchain()
gemini_samples.write_gemini()
asyncio.run(gemini_samples.write_adk())
asyncio.run(pydantic_ai_samples.write_pydantic_ai())
