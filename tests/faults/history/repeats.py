"""I3: what was taken is sent again only across an unknown outcome. I5: one id, one request. I6: the log of
attempts holds at least what was received.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.faults.history.facts import Facts, Sending, in_doubt
from tests.faults.history.words import Received, Row, Violation


def excuse(facts: Facts, sending: Sending, earlier: Sending) -> str | None:
    """Why what `earlier` had brought about was sent once more; None: there was no reason to."""
    if sending.stray is not None:
        return "its sender stood still"
    attempt = earlier.attempt
    if attempt is None or not in_doubt(attempt):
        return None
    if attempt["closed_by"] == "rescue":
        return "its sender went away"
    return f"{attempt['outcome']}, doubtful"


def duplicates(facts: Facts) -> Iterator[tuple[Sending, Sending]]:
    """Requests, and the earlier one that the receiver took too, at once or late."""
    for sendings in facts.sendings.values():
        for index, sending in enumerate(sendings):
            for earlier in sendings[:index]:
                if earlier.received.applied_at is not None:
                    yield sending, earlier
                    break


def duplicates_have_an_excuse(facts: Facts) -> Iterator[Violation]:
    for sending, earlier in duplicates(facts):
        if excuse(facts, sending, earlier) is None:
            text = f"{sending.row['id']} was sent again though it was known to have been taken"
            yield Violation(invariant="I3", text=text, evidence=(earlier, sending))


def nothing_is_sent_after_its_end(facts: Facts) -> Iterator[Violation]:
    for delivery_id, sendings in facts.sendings.items():
        row = facts.deliveries[delivery_id]
        for sending in sendings:
            ended = row["ended_at"] is not None and row["ended_at"] + facts.limits.lag
            if ended and sending.received.started_at > ended and sending.stray is None:
                text = f"{delivery_id} was sent after it had ended as {row['status']}"
                yield Violation(invariant="I3", text=text, evidence=(sending,))


def one_id_means_one_request(facts: Facts) -> Iterator[Violation]:
    for delivery_id, received in facts.received.items():
        if len({one.digest for one in received if one.digest}) > 1:
            text = f"{delivery_id} was sent with different bodies"
            yield Violation(invariant="I5", text=text, evidence=tuple(received))
        if len({(one.receiver, one.path) for one in received}) > 1:
            text = f"{delivery_id} was sent to different places"
            yield Violation(invariant="I5", text=text, evidence=tuple(received))
    for delivery_id, count in Counter(row["id"] for row in facts.rows.delivery).items():
        if count > 1:
            yield Violation(invariant="I5", text=f"there are {count} deliveries {delivery_id}")


def a_repair_says_the_same(facts: Facts) -> Iterator[Violation]:
    for row in facts.rows.delivery:
        received = facts.received.get(row["id"], ())
        repaired = facts.received.get(row["repair_of"] or "", ())
        digests = {one.digest for one in (*received, *repaired) if one.digest}
        if received and repaired and len(digests) > 1:
            text = f"{row['id']} repairs {row['repair_of']} with another body"
            yield Violation(invariant="I5", text=text, evidence=(*repaired, *received))


def a_position_is_the_deliverys_own(facts: Facts) -> Iterator[Violation]:
    """What the request says of its place in the lane is what the table says."""
    for sendings in facts.sendings.values():
        for sending in sendings:
            if sending.received.position and not _stands_there(sending.row, sending.received):
                text = f"{sending.row['id']} was sent with position {sending.received.position}"
                yield Violation(invariant="I5", text=text, evidence=(sending, sending.row))


def _stands_there(row: Row, received: Received) -> bool:
    order, _, rest = received.position.partition(".")
    if rest == f"0.{row['seq']}" and order == "0":
        return True
    return rest == f"{row['rank']}.{row['seq']}" and order in {str(row["number"]), str(row["first_seq"])}


def every_request_has_its_attempt(facts: Facts) -> Iterator[Violation]:
    for delivery_id, sendings in facts.sendings.items():
        attempts = facts.attempts[delivery_id]
        if len(sendings) > len(attempts):
            text = (
                f"{delivery_id} was received {len(sendings)} times, and {len(attempts)} attempts are recorded"
            )
            yield Violation(invariant="I6", text=text, evidence=tuple(sendings))
            continue
        for sending in sendings:
            if sending.attempt is None:
                text = f"{delivery_id} was received when no attempt had it in hand"
                yield Violation(invariant="I6", text=text, evidence=(sending, *attempts))


def attempts_are_counted_from_one(facts: Facts) -> Iterator[Violation]:
    tokens: dict[object, list[str]] = defaultdict(list)
    for delivery_id, attempts in facts.attempts.items():
        for attempt in attempts:
            tokens[attempt["token"]].append(delivery_id)
        row = facts.deliveries.get(delivery_id)
        if row is None:
            yield Violation(invariant="I6", text=f"attempts of {delivery_id} are there, and it is not")
            continue
        numbers = [attempt["number"] for attempt in attempts]
        if numbers != list(range(1, row["attempts"] + 1)):
            text = f"{delivery_id} has {row['attempts']} attempts, numbered {numbers}"
            yield Violation(invariant="I6", text=text, evidence=(row,))
    for row in facts.rows.delivery:
        if row["attempts"] and row["id"] not in facts.attempts:
            text = f"{row['id']} has {row['attempts']} attempts, and none is recorded"
            yield Violation(invariant="I6", text=text, evidence=(row,))
    for token, holders in tokens.items():
        if len(holders) > 1:
            yield Violation(invariant="I6", text=f"token {token} was given out {len(holders)} times")
