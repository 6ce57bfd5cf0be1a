"""The job as a taskiq task."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from peer_job import Outcomes, request_for
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker, RedisStreamBroker

# The stream acknowledges a job when it is done, the list forgets it when it is taken.
_KINDS = {"list": ListQueueBroker, "stream": RedisStreamBroker}
broker = _KINDS[os.environ.get("BENCH_QUEUE", "stream")](url=os.environ["BENCH_BROKER"])
_writer = ThreadPoolExecutor(1)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: TaskiqState) -> None:
    state.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    state.outcomes = Outcomes()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: TaskiqState) -> None:
    await state.session.close()


@broker.task(task_name="deliver")
async def deliver(event: dict[str, Any]) -> None:
    request, started_at = request_for(event), time.time()
    session = broker.state.session
    async with session.post(request.url, data=request.body, headers=request.headers) as answer:
        await answer.read()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(_writer, broker.state.outcomes.record, request, answer.status, started_at)
