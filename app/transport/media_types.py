"""Which media type a request has and which its sender wants (RFC 9110 §12.5.1, GraphQL over HTTP)."""

from functools import lru_cache

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"

LONGEST = 1_024  # what is remembered per header stays small; no real Accept header comes near


def is_json(content_type: bytes) -> bool:
    """Whether a body is JSON in UTF-8: another charset is another type, and a prefix is not the type."""
    return _is_json(content_type[:LONGEST])


def preferred(accept: bytes, offered: tuple[str, ...]) -> str | None:
    """The offered type that the sender likes best, the earlier one of equals; None if it wants none of them.

    Who names `application/graphql-response+json` gets it, who takes anything gets `application/json`.
    """
    return _preferred(accept[:LONGEST], offered)


@lru_cache(maxsize=128)
def _is_json(content_type: bytes) -> bool:
    name, parameters = _parse(content_type.decode("latin-1"))
    return name == JSON and parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")


@lru_cache(maxsize=128)
def _preferred(accept: bytes, offered: tuple[str, ...]) -> str | None:
    ranges = [_parse(part) for part in accept.decode("latin-1").split(",") if part.strip()] or [("*/*", {})]
    liked = {name: (q, exact, name != RESPONSE or exact) for name in offered for q, exact in [_like(name, ranges)]}
    best = max(offered, key=lambda name: liked[name])
    return best if liked[best][0] > 0 else None


def _like(name: str, ranges: list[tuple[str, dict[str, str]]]) -> tuple[float, bool]:
    """The weight of the most specific range that covers `name`, and whether that range names it."""
    for pattern in (name, name.split("/")[0] + "/*", "*/*"):
        weights = [_weight(parameters) for found, parameters in ranges if found == pattern]
        if weights:
            return max(weights), pattern == name
    return 0.0, False


def _weight(parameters: dict[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0


def _parse(value: str) -> tuple[str, dict[str, str]]:
    name, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return name.strip().lower(), {key.strip().lower(): found.strip().strip('"') for key, _, found in pairs}
