"""A reporter that keeps what it is told."""

from contextlib import contextmanager

from interactivenet.pipeline.reporting import SilentReporter


class RecordingReporter(SilentReporter):
    """Keeps lines, findings, tables, what was tracked, and the rows of epochs."""

    def __init__(self):
        self.lines, self.found, self.tables, self.tracked, self.rows = [], [], [], [], []

    @property
    def texts(self):
        """All that speaks to a person."""
        return [*self.lines, *(finding.message for finding in self.found)]

    def say(self, message):
        self.lines.append(message)

    def text(self, message):
        return f"told: {message}"

    def findings(self, findings):
        self.found += findings

    def table(self, table):
        self.tables.append(table)

    def track(self, items, total, description, names=()):
        assert not names or len(names) == total
        count = 0
        for item in items:
            count += 1
            yield item
        assert count == total
        self.tracked.append(description)

    @contextmanager
    def epochs(self, total):
        yield self

    def step(self, epoch, batch, batches):
        assert 1 <= batch <= batches

    def epoch(self, row):
        self.rows.append(row)


def told(failures):
    """Return failures as a stage that has this reporter writes them."""
    return {case: f"told: {reason}" for case, reason in failures.items()}
