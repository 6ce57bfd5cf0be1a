"""The job as a Celery task."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import requests
from celery import Celery
from peer_job import Outcomes, request_for

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
_kept = threading.local()  # a session for each thread
_writing = threading.Lock()
_outcomes: list[Outcomes] = []  # one for each process, opened after forking


@app.task(name="deliver")
def deliver(event: dict[str, Any]) -> None:
    if not hasattr(_kept, "session"):
        _kept.session = requests.Session()
        _kept.session.trust_env = False
    request, started_at = request_for(event), time.time()
    answer = _kept.session.post(request.url, data=request.body, headers=request.headers, timeout=30)
    with _writing:
        if not _outcomes:
            _outcomes.append(Outcomes())
        _outcomes[0].record(request, answer.status_code, started_at)
