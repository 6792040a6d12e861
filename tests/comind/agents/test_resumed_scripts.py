"""A script agent that is walked through again after its engine was killed comes to the same records."""

from __future__ import annotations

from dataclasses import replace

from comind.state.records import Agent, Cell, Evaluation
from tests.comind.agents.test_scripter import LINE, MEAN, World, improve, reply, world

__all__ = ["world"]

FORGOTTEN = MEAN.replace('test[["id"', 'if test.empty:\n    test[["id"')
"""Names submission.csv and does not write it."""


def evaluations(world: World) -> dict[str, tuple[str, str]]:
    return {one.id: (one.sha256, one.at) for one in world.store.all(Evaluation)}


async def test_a_script_that_left_no_predictions_is_not_given_those_of_a_later_one(world: World) -> None:
    replies = [reply("forget to write", FORGOTTEN), reply("use the size", LINE)]
    agent = await improve(world, replies, steps=2)
    before = evaluations(world)
    assert f"{agent.id}-s01" not in before
    assert f"{agent.id}-s02" in before
    world.store.save(replace(agent, status="running", finished_at=""))
    again = await improve(world, replies, steps=2)
    assert evaluations(world) == before
    assert again.best_evaluation == agent.best_evaluation
    assert world.store.count(Cell, "agent = ?", (agent.id,)) == 2
    assert world.store.get(Agent, agent.id) == again
