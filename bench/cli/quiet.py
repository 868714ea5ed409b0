"""What libraries say when they are imported and used: their errors are shown, their remarks are not."""

from __future__ import annotations

import logging
import os
import sys
import warnings

_SPEAK_ONLY_OF_ERRORS = {
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",  # or each fork is remarked on
}


def quieten_libraries() -> None:
    """Keep remarks and warnings of libraries from the terminal, here and in the processes that are started.

    Errors are shown as before. What the user says wins: PYTHONWARNINGS, `python -W`, a library's own variable.
    """
    for name, value in _SPEAK_ONLY_OF_ERRORS.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
    # what a library logs without a handler of its own goes here
    if logging.lastResort is not None:
        logging.lastResort.setLevel(logging.ERROR)
