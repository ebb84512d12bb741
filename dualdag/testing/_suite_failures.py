"""Part of `BackendSuite`: exceptions, retries, timeouts."""

from __future__ import annotations

import time
import traceback

import pytest

import dualdag as dag
from dualdag.testing._suite_base import SuiteBase

__all__ = ["FailureTests"]


class FailureTests(SuiteBase):
    """Exceptions come as they are, and cost nothing that was done."""

    # Failures.

    def test_exceptions_come_as_they_are(self) -> None:
        """An exception keeps class, arguments, attributes and message, whatever its `__init__` takes."""
        t = self.tasks
        error = self.fails(t.fail("bad"), ValueError)
        assert error.args == ("bad", 7)
        error = self.fails(t.fail_two_part(4), t.TwoPartError)
        assert (error.code, error.reason, str(error)) == (4, "because", "4: because")
        error = self.fails(t.fail_keyword("luck"), t.KeywordError)
        assert (error.what, str(error)) == ("luck", "no luck")

    def test_cause_and_notes(self) -> None:
        """An exception keeps its cause and its notes."""
        error = self.fails(self.tasks.fail_with_cause(1), RuntimeError)
        assert type(error.__cause__) is ZeroDivisionError
        assert "a note of the task" in error.__notes__

    def test_groups(self) -> None:
        """An exception group keeps the exceptions in it."""
        error = self.fails(self.tasks.fail_group(3), ExceptionGroup)
        assert [type(e) for e in error.exceptions] == [ValueError, KeyError]
        assert error.exceptions[0].args == (3,)

    def test_builtin_exceptions(self) -> None:
        """Python's own exceptions keep what is particular to them."""
        t = self.tasks
        assert self.fails(t.fail_builtin("os"), FileNotFoundError).filename == "/no/such/file/at/all"
        assert self.fails(t.fail_builtin("unicode"), UnicodeDecodeError).start == 0
        assert self.fails(t.fail_builtin("nothing"), KeyError).args == ("nothing",)

    def test_stop_iteration(self) -> None:
        """`StopIteration` is a failure as any other."""
        assert self.fails(self.tasks.fail_builtin("stop"), StopIteration).value == 5

    def test_system_exit(self) -> None:
        """`SystemExit` in a task is the task's failure, and ends no worker."""
        assert self.fails(self.tasks.fail_builtin("exit"), SystemExit).code == 3
        assert self.run(self.tasks.add(1, 2)) == 3

    def test_base_exceptions(self) -> None:
        """An exception that is no `Exception` is the task's failure, and ends no worker."""
        t = self.tasks
        assert self.fails(t.fail_builtin("base"), t.ProjectStopError).args == (1, 2)
        assert self.run(t.add(1, 2)) == 3

    def test_endless_recursion(self) -> None:
        """A recursion without end is a `RecursionError`."""
        self.fails(self.tasks.deep(0), RecursionError)

    def test_exception_that_holds_a_lock(self) -> None:
        """An exception that can't travel keeps its message, at the worst in a `TaskError`."""
        with pytest.raises((ValueError, dag.TaskError), match="held"):
            self.run(self.odd.fail_with_lock("held"))

    def test_retry_of_what_is_no_exception(self) -> None:
        """Only an `Exception` is retried by itself."""
        self.fails(self.odd.stop_marked(self.folder).options(retries=2), self.odd.NoExceptionError)
        assert self.marks("stopped") == 1

    def test_unmet_resource(self) -> None:
        """A resource that no worker has is an error before anything runs."""
        self.needs(self.counts, "the backend does not know what its workers have")
        t = self.tasks
        first = t.counted(self.folder, "first", 1)
        with pytest.raises(dag.BackendError, match="no_such_thing"):
            self.run(t.add(first, 1).options(resources={"no_such_thing": 3}))
        assert self.marks("first") == 0
        assert self.run(t.add(1, 1)) == 2

    def test_note_names_node_and_line(self) -> None:
        """A failure names the node, and the line that made it."""
        node, line = self.tasks.failing_node("here")
        error = self.fails(node.named("the one"), ValueError)
        note = "\n".join(error.__notes__)
        assert "'the one'" in note
        assert f"backend_tasks.py:{line - 1}" in note or f"backend_tasks.py:{line}" in note

    def test_traceback_shows_the_task(self) -> None:
        """A traceback shows the task's own frames and none of dualdag's."""
        error = self.fails(self.tasks.fail_with_cause(1), RuntimeError)
        frames = traceback.extract_tb(error.__traceback__)
        assert frames[-1].name == "fail_with_cause"
        assert frames[-1].filename.endswith("backend_tasks.py")
        assert not any("_work.py" in frame.filename or "_worker.py" in frame.filename for frame in frames)

    def test_first_failure_stops(self) -> None:
        """Nothing below a failure runs."""
        t = self.tasks
        bad = t.fail("bad")
        below = t.counted(self.folder, "below", bad)
        self.fails(t.listed(below), ValueError)
        assert self.marks("below") == 0

    def test_what_was_done_is_kept(self) -> None:
        """What was done before a failure is kept."""
        t = self.tasks
        good = t.counted(self.folder, "good", 5).options(persist=True)
        self.fails(t.fail("bad", good), ValueError)
        assert self.run(good) == 5
        assert self.marks("good") == 1

    def test_keep_going(self) -> None:
        """With `keep_going`, all that does not depend on a failure runs, and a group tells of all."""
        t = self.tasks
        bad, worse = t.fail("bad"), t.fail_two_part(1)
        good = [t.counted(self.folder, f"good{i}", i) for i in range(5)]
        below = t.counted(self.folder, "below", bad)
        with pytest.raises(ExceptionGroup) as caught:
            self.run([bad, below, worse, *good], keep_going=True)
        kinds = {type(error) for error in caught.value.exceptions}
        assert kinds == {ValueError, t.TwoPartError}
        assert [self.marks(f"good{i}") for i in range(5)] == [1] * 5
        assert self.marks("below") == 0

    def test_next_run_works(self) -> None:
        """The run after a failure works."""
        t = self.tasks
        self.fails(t.fail("bad"), ValueError)
        assert self.run(t.add(1, 2)) == 3

    # Retries and time.

    def test_retries(self) -> None:
        """A task is retried until it is done."""
        assert self.run(self.tasks.flaky(self.folder, 3)) == 3
        assert self.marks("flaky") == 3

    def test_retries_run_out(self) -> None:
        """A task is retried exactly as often as it says."""
        error = self.fails(self.tasks.flaky(self.folder, 9), OSError)
        assert error.args == ("attempt 4",)
        assert self.marks("flaky") == 4

    def test_retry_on(self) -> None:
        """Only what `retry_on` names is retried."""
        self.fails(self.tasks.flaky_of_another_kind(self.folder), OSError)
        assert self.marks("other") == 1

    def test_timeout(self) -> None:
        """A task that takes too long is a `TaskTimeoutError`, and the next run works."""
        t = self.tasks
        assert self.run(t.quick(1)) == 2
        start = time.monotonic()
        error = self.fails(t.slow(20.0), dag.TaskTimeoutError)
        assert time.monotonic() - start < 10
        assert "slow" in str(error)
        assert isinstance(error, TimeoutError)
        assert self.run(t.add(1, 1)) == 2

    def test_late_task_is_ended(self) -> None:
        """A task that takes too long is ended."""
        self.needs(self.stops, "a thread can't be ended")
        self.fails(self.tasks.late_mark(self.folder, 1.0).options(timeout=0.3), dag.TaskTimeoutError)
        time.sleep(1.5)
        assert self.marks("late") == 0

    def test_late_result_is_not_published(self) -> None:
        """A result that comes too late is not recorded."""
        t = self.tasks
        self.fails(t.slow(0.6), dag.TaskTimeoutError)
        time.sleep(0.5)
        assert dag.plan(t.slow(0.6), store=self.store).counts["run"] == 1
