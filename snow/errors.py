"""The one exception users see: a sentence that says what is wrong, where, and what to do."""


class SnowError(Exception):
    """Bad input or an impossible request; `snow` prints the sentence and exits with status 2, without a traceback."""
