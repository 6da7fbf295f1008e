"""The executor: commands wait in a queue, and writers decide and commit them in batches (docs/why/batches.md).

    executor = Executor(database)
    executor.submit(org_id, Submission(caller, command, ...))
    -> the submission's future has a Reply when its batch is done, or the reason why not (Overloaded, ...)

`writers` has the queue and the threads; `batch` tries and splits the commands that one transaction takes, and
`transaction` is one try; `patience` says how long commands wait, and which of them stand behind a lock; `submission` is
one command on its way. They may import `db` and `core`. Nobody outside needs more than the names below.
"""

from __future__ import annotations

from holdfast.executor.batch import Batch
from holdfast.executor.submission import Outcome, OutcomeUnknown, Overloaded, Reply, Submission, Unavailable
from holdfast.executor.writers import Executor

__all__ = ["Batch", "Executor", "Outcome", "OutcomeUnknown", "Overloaded", "Reply", "Submission", "Unavailable"]
