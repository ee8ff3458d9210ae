"""The server's memory while it answers many requests: W1 again and again, measured after each round."""

from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.servers import RunningPeer

ROUND_SECONDS = 10
WARM = 20_000
ALLOWED = 0.05


@dataclass(frozen=True)
class Memory:
    """MiB of resident memory by the number of requests answered so far."""

    samples: list[tuple[int, float]]

    @property
    def requests(self) -> int:
        return self.samples[-1][0]

    @property
    def growth(self) -> float:
        """Growth from the moment at which the caches are full to the end, as a fraction."""
        warm = next(rss for requests, rss in self.samples if requests >= WARM)
        return self.samples[-1][1] / warm - 1

    @property
    def flat(self) -> bool:
        return abs(self.growth) <= ALLOWED


def memory(server: RunningPeer, requests: Path, goal: int, postgres: int) -> Memory:
    """Sends requests until `goal` of them are answered. Raises `WrongAnswer` if any answer held an error."""
    samples: list[tuple[int, float]] = []
    answered = 0
    while answered < goal:
        one = load.round_of(server, requests, ROUND_SECONDS, postgres)
        answered += one.requests
        samples.append((answered, one.rss))
        print(f"memory after {answered:7,} requests: {one.rss:.1f} MiB", flush=True)
    return Memory(samples)
