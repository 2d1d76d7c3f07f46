"""Scores as `score` writes them, beside the recorded receipts."""

import pyarrow as pa


def scores(shard: int) -> pa.Table:
    """697 scored documents: Python spread over the range, C++ and HTML low."""
    spans = {"Python": (565, 1.0), "C++": (110, 0.4), "HTML": (22, 0.05)}
    rows = [
        {
            "id": f"{shard}-{name}-{row}",
            "repo": f"repo{row % 7}",
            "path": f"src/{row}.x",
            "language": name,
            "size": 1000 + row,
            "score": round((row / documents) ** 2 * top, 5),
        }
        for name, (documents, top) in spans.items()
        for row in range(documents)
    ]
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("repo", pa.string()),
            ("path", pa.string()),
            ("language", pa.string()),
            ("size", pa.int64()),
            ("score", pa.float32()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)
