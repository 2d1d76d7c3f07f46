"""DVC's logger keeps the stderr it finds when it is first imported: here that of the whole session, not that of one test's capture."""

import dvc.cli
import dvc.logger
import dvc.repo  # noqa: F401
