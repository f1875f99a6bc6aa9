import asyncio


async def test_runs_on_the_loop_its_id_names(request):
    name = request.node.callspec.id
    assert name in {"asyncio", "uvloop"}
    assert (name == "uvloop") == type(asyncio.get_running_loop()).__module__.startswith("uvloop")
