"""How a setting is declared: its default, its description, and what an error asks to give."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from app.settings.values import split_list

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


def setting(default: Any, description: str, expected: str, *, default_text: str | None = None, **rules: Any) -> Any:
    """A field. `expected` completes "give …" in an error; `default_text` describes a computed default."""
    kind = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        **kind, description=description, json_schema_extra={"expected": expected, "default_text": default_text}, **rules
    )


def whole_number(default: int, description: str, *, low: int = 1, high: int) -> Any:
    return setting(default, description, f"a whole number from {low} to {high}", ge=low, le=high)


def is_development(valid: dict[str, Any]) -> bool:
    return bool(valid["environment"] == "development")


def development_only(description: str) -> Any:
    return setting(
        is_development, description, "true or false", default_text="true in development, false in production"
    )
