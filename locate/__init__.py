"""Finding what may need hiding; the only package in which a model may load. Everything it says ends in a manifest."""

import os

NO_REPORTS = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
"""What keeps the libraries of the models from reporting on their use to their makers. Read when they are imported:
onnxruntime from 1.31 on would else note each run in the user's cache, under a number for the machine, and send it."""

os.environ.update(NO_REPORTS)
