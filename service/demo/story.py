"""The whole story in order, over real HTTP, with the wallet as a process of its own."""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path

from rich.console import Console

from service.demo import scenes_attack, scenes_issue, scenes_trade
from service.demo.report import write_report
from service.demo.stage import Stage, open_stage
from service.demo.storyteller import Storyteller
from service.errors import ServiceError


async def _admit_others(stage: Stage) -> None:
    await scenes_issue.grant_to_others(stage)
    await asyncio.gather(
        scenes_trade.present(stage, stage.kept["bob"], "us.506c"),
        scenes_trade.present(stage, stage.kept["chen"], "us.reg_s"),
    )


async def _play(folder: Path, teller: Storyteller, now: datetime) -> None:
    async with open_stage(folder, teller, now) as stage:
        await scenes_issue.introduce_parties(stage)
        others = asyncio.create_task(_admit_others(stage))
        await scenes_issue.grant_three_credentials(stage)
        await scenes_trade.present(stage, stage.kept["ada"], "us.506c")
        await scenes_trade.permit_and_settle(stage)
        replay = await scenes_trade.start_replay(stage)
        await scenes_trade.revoke_and_deny(stage)
        stealing = asyncio.create_task(scenes_attack.steal_credential(stage))
        await others
        await scenes_trade.refuse_by_policy(stage)
        await stealing
        await scenes_attack.refuse_forgeries(stage)
        await scenes_trade.permit_offshore(stage)
        await scenes_trade.end_replay(stage, replay)


async def tell_story(console: Console, *, now: datetime, report: Path | None) -> bool:
    """Play every scene and write the report.

    Args:
        console: Where each step is printed.
        now: Start of the story, aware UTC.
        report: HTML file to write, or None.

    Returns:
        Whether every step came out as told; a step that failed ends the story.
    """
    teller = Storyteller(console)
    with tempfile.TemporaryDirectory(prefix="goodstanding-demo-") as folder:
        try:
            await _play(Path(folder), teller, now)
            finished = True
        except ServiceError as error:
            console.print(f"The story broke off: {error.detail}", style="bold red", markup=False)
            finished = False
    came_true = finished and teller.came_true
    if report is not None:
        write_report(report, teller.steps, came_true=came_true, told_at=now)
        console.print(f"Report with pictures: {report}", markup=False)
    return came_true
