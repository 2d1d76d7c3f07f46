"""Matches as `decontaminate` writes them, beside the recorded receipts."""

import pyarrow as pa

from snow.corpus.decontaminate import MATCHES


def matches(shard: int) -> pa.Table:
    """15 documents with one match each, of names and lines that no page takes for its own."""
    rows = [
        {
            "suite": "humaneval",
            "task_id": f"HumanEval/{number}",
            "method": "ngram",
            "text_sha256": "0" * 64,
            "matches": 3,
            "line": 99,
            "document_lines": f"if a < {number}:\n    <script>x</script>",
            "task_lines": "if b & 1:\n    pass\0",
            "id": f"{number:031x}{shard}",
            "repo": "lib",
            "path": "<b>.py",
        }
        for number in range(15)
    ]
    return pa.Table.from_pylist(rows, schema=MATCHES)
