import re

import httpx2
from starlette.applications import Starlette

from app.web import graphiql_page, static_routes


def page(token: str | None = None) -> str:
    return graphiql_page(endpoint="/graphql", subscription_endpoint="/graphql", token=token).decode()


def test_no_token_can_leave_its_script_element():
    assert "</script><b>" not in page("</script><b>")
    assert page("</script><b>").count("</script>") == page().count("</script>")


async def test_everything_the_page_names_is_served_and_may_be_kept():
    named = re.findall(r'(?:src|href)="([^"]+)"', page())
    assert len(named) == 3
    transport = httpx2.ASGITransport(Starlette(routes=static_routes()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://colloquy") as client:
        for address in named:
            answer = await client.get(address)
            assert answer.status_code == 200
            assert "immutable" in answer.headers["cache-control"]
