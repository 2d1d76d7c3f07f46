"""DVC's logger keeps the stderr it finds when it is first imported: here that of the whole session, not that of one test's capture."""

import dvc.cli  # noqa: F401
import dvc.logger  # noqa: F401
import dvc.repo  # noqa: F401
