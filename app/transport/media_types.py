"""Media types of requests and responses (RFC 9110 §12.5.1, GraphQL over HTTP)."""

from functools import lru_cache

JSON = "application/json"
RESPONSE = "application/graphql-response+json"
HTML = "text/html"
MULTIPART = "multipart/mixed"

MAX_LENGTH = 1_024  # bounds the caches below; real Accept headers are far shorter


def is_json(content_type: bytes) -> bool:
    """True if a body is JSON in UTF-8; `application/json` with another charset is not."""
    return _is_json(content_type[:MAX_LENGTH])


def preferred(accept: bytes, offered: tuple[str, ...]) -> str | None:
    """The offered type that the client weights highest, the first of equals; None if it accepts none of them.

    `application/graphql-response+json` counts only if the client names it: `*/*` means `application/json`.
    """
    return _preferred(accept[:MAX_LENGTH], offered)


def accepts_subscriptions(accept: bytes) -> bool:
    """True if the client reads a subscription from a multipart response, in version 1.0 of Apollo's protocol."""
    return _accepts_subscriptions(accept[:MAX_LENGTH])


@lru_cache(maxsize=128)
def _accepts_subscriptions(accept: bytes) -> bool:
    ranges = [_parse(part) for part in accept.decode("latin-1").split(",")]
    versions = [found for name, found in ranges if name == MULTIPART and found.get("subscriptionspec") == "1.0"]
    return any(_quality(found) > 0 for found in versions)


@lru_cache(maxsize=128)
def _is_json(content_type: bytes) -> bool:
    name, parameters = _parse(content_type.decode("latin-1"))
    return name == JSON and parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")


@lru_cache(maxsize=128)
def _preferred(accept: bytes, offered: tuple[str, ...]) -> str | None:
    ranges = [_parse(part) for part in accept.decode("latin-1").split(",") if part.strip()] or [("*/*", {})]
    ranks = {name: (q, exact, name != RESPONSE or exact) for name in offered for q, exact in [_weight(name, ranges)]}
    best = max(offered, key=lambda name: ranks[name])
    return best if ranks[best][0] > 0 else None


def _weight(name: str, ranges: list[tuple[str, dict[str, str]]]) -> tuple[float, bool]:
    """The weight of the most specific range that covers `name`, and whether that range names it."""
    for pattern in (name, name.split("/")[0] + "/*", "*/*"):
        weights = [_quality(parameters) for found, parameters in ranges if found == pattern]
        if weights:
            return max(weights), pattern == name
    return 0.0, False


def _quality(parameters: dict[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0


def _parse(value: str) -> tuple[str, dict[str, str]]:
    name, *rest = value.split(";")
    pairs = (part.partition("=") for part in rest)
    return name.strip().lower(), {key.strip().lower(): found.strip().strip('"') for key, _, found in pairs}
