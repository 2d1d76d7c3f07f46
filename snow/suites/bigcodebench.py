"""What is known of BigCodeBench's tasks besides their rows: which are hard, and which are not judged here."""

from __future__ import annotations

# The 148 tasks of BigCodeBench-Hard, huggingface.co/datasets/bigcode/bigcodebench-hard.
_HARD = """
    13 15 17 19 34 37 82 89 92 93 99 100 101 108 120 123 124 129 139 147 161 162 177 184 187 199 208 211 214 227 239 241 267 273 274
    287 302 308 310 313 324 326 341 346 360 367 368 374 399 401 409 417 418 424 443 445 454 458 461 477 486 492 501 502 503 509 511 513
    526 528 530 532 553 560 567 574 579 582 583 587 590 592 593 594 618 636 637 654 655 657 678 720 723 752 760 763 765 771 777 785 800
    826 845 854 857 865 870 879 897 906 914 915 916 917 928 942 945 952 955 963 964 969 971 985 988 990 998 999 1003 1004 1006 1008
    1012 1013 1015 1019 1020 1022 1039 1040 1042 1053 1057 1077 1085 1124 1129 1137
"""
HARD = frozenset(f"BigCodeBench/{number}" for number in _HARD.split())

# Why the suite's own solution does not pass in the environment bigcodebench: what `python bench/canonical.py` found (2026-11-27 and 28).
_REASONS: dict[str, str] = {
    "needs a network": "101 176 314 590 1005 1006 1012",
    "needs an older SciPy": "115 221 245 276 634 736",
    "needs an older NumPy or Matplotlib": "111",
    "needs data of NLTK that no package brings": "726 734",
    "needs /proc": "461 1028",
    "needs pip": "562",
}
NOT_JUDGED = {f"BigCodeBench/{number}": reason for reason, numbers in _REASONS.items() for number in numbers.split()}
