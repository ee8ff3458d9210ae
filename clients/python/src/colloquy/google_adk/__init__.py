"""A session service for Google ADK (https://google.github.io/adk-docs/)."""

from colloquy.extras import extra

with extra("google-adk"):
    from colloquy.google_adk.service import ColloquySessionService

__all__ = ["ColloquySessionService"]
