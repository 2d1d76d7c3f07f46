"""What the report takes for a receipt."""

from __future__ import annotations

from pathlib import Path

import pytest

from snow import sealed
from snow.errors import SnowError
from snow.report import receipts

TOLD = {"stage": "judge", "instance": "a/b", "key": "0" * 64, "facts": {"passed": 0}, "spec": {}, "inputs": {}, "outputs": {}}


def test_a_receipt_of_which_a_digit_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(sealed.dump(TOLD))
    assert receipts.load([tmp_path]).one("judge", "a/b") == {"passed": 0}
    path.write_text(path.read_text().replace('"passed": 0', '"passed": 1'))
    with pytest.raises(SnowError, match=r"b\.json is damaged, its checksum is another; delete it and run again"):
        receipts.load([tmp_path])


def test_a_file_name_that_is_no_text_can_be_told_of(tmp_path: Path) -> None:
    told = TOLD | {"facts": {"file": "caf\udce9.py", "other": "caf\u00e9"}}
    (tmp_path / "b.json").write_bytes(sealed.dump(told))
    assert receipts.load([tmp_path]).one("judge", "a/b") == told["facts"]
