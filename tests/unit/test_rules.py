"""States, retries, overlap, chains, outcomes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronos_py.model.chain import Mark, TriggerRule, find_cycle, is_ready
from chronos_py.model.outcome import judge
from chronos_py.model.overlap import Overlap, Unfinished, decide_overlap
from chronos_py.model.retry import LONGEST_DELAY, RetryPolicy, next_attempt_at
from chronos_py.model.run import (
    ATTEMPT_TRANSITIONS,
    FINAL_ATTEMPT_STATES,
    FINAL_RUN_STATES,
    RUN_TRANSITIONS,
    AttemptState,
    Reason,
    RunState,
    states_before,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_state_has_its_row_and_final_ones_go_nowhere() -> None:
    assert set(RUN_TRANSITIONS) == set(RunState)
    assert set(ATTEMPT_TRANSITIONS) == set(AttemptState)
    assert {state.value for state in FINAL_RUN_STATES} == {"succeeded", "failed", "killed", "lost", "skipped"}
    assert {state.value for state in FINAL_ATTEMPT_STATES} == {"succeeded", "failed", "killed", "lost"}


def test_every_state_is_reached_from_queued_and_ends() -> None:
    reached, frontier = {RunState.QUEUED}, [RunState.QUEUED]
    while frontier:
        for following in RUN_TRANSITIONS[frontier.pop()] - reached:
            reached.add(following)
            frontier.append(following)
    assert reached == set(RunState)
    assert states_before(RunState.STARTING) == {RunState.QUEUED, RunState.WAITING_RETRY}


@given(made=st.integers(1, 20), retries=st.integers(0, 20))
def test_a_run_is_tried_once_and_then_as_often_as_retries_says(made: int, retries: int) -> None:
    at = next_attempt_at(RetryPolicy(retries), made, Reason.EXIT, 1, "task", NOW)
    assert at == (NOW + timedelta(seconds=60) if made <= retries else None)


def test_what_a_person_killed_is_not_tried_again() -> None:
    for reason in (Reason.KILLED, Reason.DELETED, Reason.REPLACED, Reason.CANCELLED):
        assert next_attempt_at(RetryPolicy(5), 1, reason, None, "task", NOW) is None


@pytest.mark.parametrize(
    ("policy", "unfinished", "skip", "note", "replaces"),
    [
        (Overlap.FORBID_SKIP, Unfinished(), None, "", False),
        (Overlap.FORBID_SKIP, Unfinished(1, 0, 7), "run #7 of this job had not ended", "", False),
        (Overlap.FORBID_SKIP, Unfinished(0, 1, None, 8), "run #8 of this job had not ended", "", False),
        (Overlap.FORBID_QUEUE_ONE, Unfinished(1, 0, 7), None, "waited for run #7 to end", False),
        (Overlap.FORBID_QUEUE_ONE, Unfinished(1, 1, 7, 8), "run #8 of this job was waiting already", "", False),
        (Overlap.FORBID_QUEUE_ONE, Unfinished(0, 1, None, 8), "run #8 of this job was waiting already", "", False),
        (Overlap.ALLOW, Unfinished(5, 5, 7, 8), None, "began while run #7 had not ended", False),
        (Overlap.REPLACE, Unfinished(), None, "", False),
        (Overlap.REPLACE, Unfinished(1, 0, 7), None, "took the place of run #7", True),
        (Overlap.REPLACE, Unfinished(0, 1, None, 8), None, "took the place of run #8", True),
    ],
)
def test_overlap(policy: Overlap, unfinished: Unfinished, skip: str | None, note: str, replaces: bool) -> None:
    decision = decide_overlap(policy, unfinished)
    assert (decision.skip is None) == (skip is None)
    assert (skip or "") in (decision.skip or "")
    assert note in decision.note
    assert bool(note) == bool(decision.note)
    assert decision.replaces is replaces


def test_a_cycle_is_named_by_its_path() -> None:
    parents = {"load": ["transform"], "transform": ["extract"], "extract": ["load"]}
    assert find_cycle(parents, "extract") == ["extract", "transform", "load", "extract"]
    assert find_cycle({"a": ["a"]}, "a") == ["a", "a"]


@given(st.dictionaries(st.integers(0, 30), st.lists(st.integers(0, 30), max_size=4), max_size=30))
def test_the_path_of_a_cycle_consists_of_real_edges(numbers: dict[int, list[int]]) -> None:
    parents = {str(child): [str(parent) for parent in found] for child, found in numbers.items()}
    for child in parents:
        path = find_cycle(parents, child)
        if path is not None:
            assert path[0] == path[-1] == child
            for upper, lower in pairwise(path):
                assert upper in parents[lower]


def test_a_chain_of_any_length_has_no_cycle() -> None:
    parents = {str(number): [str(number - 1)] for number in range(1, 50_000)}
    assert find_cycle(parents, "49999") is None


@pytest.mark.parametrize(
    ("rule", "ready"),
    [
        (TriggerRule.ALL_SUCCESS, {"ss"}),
        (TriggerRule.ALL_DONE, {"ss", "sf", "fs", "ff"}),
        (TriggerRule.ANY_SUCCESS, {"ss", "sf", "fs", "s-", "-s"}),
        (TriggerRule.ANY_FAILURE, {"ff", "sf", "fs", "f-", "-f"}),
    ],
)
def test_the_trigger_rules(rule: TriggerRule, ready: set[str]) -> None:
    marks = {"s": Mark(success=1), "f": Mark(failure=2), "-": Mark()}
    for first in marks:
        for second in marks:
            assert is_ready([marks[first], marks[second]], rule) is (first + second in ready), first + second
    assert not is_ready([], rule)
    assert is_ready([Mark(1, 2)], rule), "it succeeded and failed since"


def test_the_wait_before_a_retry_grows_to_its_longest() -> None:
    policy = RetryPolicy(9, timedelta(seconds=10), factor=2, longest=timedelta(seconds=35))
    assert [policy.wait_after(made, "task").total_seconds() for made in (1, 2, 3, 4)] == [10, 20, 35, 35]
    assert RetryPolicy(9, timedelta(days=300), factor=1000).wait_after(9999, "task") == LONGEST_DELAY


@given(made=st.integers(1, 10_000), factor=st.floats(1, 1000), jitter=st.floats(0, 1), name=st.text())
def test_jitter_only_adds_and_is_always_the_same(made: int, factor: float, jitter: float, name: str) -> None:
    plain = RetryPolicy(1, timedelta(seconds=60), factor)
    policy = RetryPolicy(1, timedelta(seconds=60), factor, jitter=jitter)
    wait = policy.wait_after(made, name)
    assert plain.wait_after(made, name) <= wait <= min(plain.wait_after(made, name) * (1 + jitter), LONGEST_DELAY)
    assert wait == policy.wait_after(made, name)


@pytest.mark.parametrize(
    ("on", "never_on", "reason", "exit_code", "allowed"),
    [
        ((), (), Reason.EXIT, 3, True),
        ((75,), (), Reason.EXIT, 75, True),
        ((75,), (), Reason.EXIT, 3, False),
        ((75, "timeout"), (), Reason.TIMEOUT, 137, True),
        (("failed",), (), Reason.MEMORY, 137, True),
        (("failed",), (), Reason.LOST, None, False),
        (("lost", "launch_error"), (), Reason.LAUNCH_ERROR, None, True),
        ((), (2, "memory"), Reason.EXIT, 2, False),
        ((), (2, "memory"), Reason.MEMORY, 137, False),
        ((), (2,), Reason.LOST, None, True),
        (("failed",), (2,), Reason.EXIT, 2, False),
    ],
)
def test_what_is_tried_again(
    on: tuple[int | str, ...], never_on: tuple[int | str, ...], reason: Reason, exit_code: int | None, allowed: bool
) -> None:
    policy = RetryPolicy(on=frozenset(on), never_on=frozenset(never_on))
    assert policy.allows(reason, exit_code) is allowed


def test_exit_zero_is_success_and_anything_else_says_why() -> None:
    assert judge(0, "", "", NOW, None, Reason.NONE).state is AttemptState.SUCCEEDED
    failed = judge(3, "", "", NOW, None, Reason.NONE)
    assert (failed.state, failed.reason, failed.message) == (
        AttemptState.FAILED,
        Reason.EXIT,
        "the command ended with exit status 3",
    )
    assert judge(137, "memory", "out of memory", NOW, None, Reason.NONE).reason is Reason.MEMORY
    assert judge(None, "", "", None, None, Reason.NONE).state is AttemptState.LOST


@pytest.mark.parametrize(
    ("exit_code", "cause", "message", "words"),
    [
        (127, "", "exited with code 127", "exited with code 127: the shell did not find the command"),
        (126, "", "", "the command ended with exit status 126: the shell may not execute the command"),
        (75, "", "exited with code 75", "exited with code 75"),
        (127, "", "the disk is full", "the disk is full"),
        (
            139,
            "signal",
            "ended by SIGSEGV",
            "ended by SIGSEGV: the program crashed (it used memory that it does not have)",
        ),
        (137, "signal", "ended by signal 40", "ended by signal 40"),
        (
            137,
            "memory",
            "killed by the kernel: out of memory, limit 128 MB",
            "killed by the kernel: out of memory, limit 128 MB",
        ),
        (137, "memory", "container died", "out of memory, container died"),
    ],
)
def test_how_it_ended_is_said_in_words(exit_code: int, cause: str, message: str, words: str) -> None:
    assert judge(exit_code, cause, message, NOW, None, Reason.NONE).message == words


def test_a_task_that_ended_before_the_kill_keeps_its_own_outcome() -> None:
    before, after = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    assert judge(0, "", "", before, NOW, Reason.KILLED).state is AttemptState.SUCCEEDED
    assert judge(143, "signal", "", after, NOW, Reason.KILLED).state is AttemptState.KILLED
    assert judge(143, "signal", "", after, NOW, Reason.TIMEOUT).reason is Reason.TIMEOUT
