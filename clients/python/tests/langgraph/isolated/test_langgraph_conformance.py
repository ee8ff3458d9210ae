"""The tests of langgraph-checkpoint-conformance, unmodified."""

from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import BASE_CAPABILITIES, EXTENDED_CAPABILITIES
from own_stores import saver


@checkpointer_test(name="ColloquySaver")
async def colloquy_saver():
    async with saver() as own:
        yield own


async def test_58_base_and_23_extended_tests_pass():
    report = await validate(colloquy_saver)
    failures = [failure for result in report.results.values() for failure in result.failures]
    assert failures == []
    passed = [
        sum(report.results[capability.value].tests_passed for capability in capabilities)
        for capabilities in (BASE_CAPABILITIES, EXTENDED_CAPABILITIES)
    ]
    assert passed == [58, 23]
    assert report.conformance_level() == "FULL"
