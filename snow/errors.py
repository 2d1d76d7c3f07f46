"""The exceptions users see: a sentence that says what is wrong, where, and what to do."""


class SnowError(Exception):
    """Bad input or an impossible request; `snow` prints the sentence and exits with `status`, without a traceback."""

    status = 2


class Unfinished(SnowError):
    """A job that was asked to end and has kept what it did: the same command continues it."""

    status = 75  # EX_TEMPFAIL of sysexits.h
