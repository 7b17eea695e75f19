"""The trained network as ONNX: its graph, smaller precisions, and whether it still is the same.

ONNX and MindSpore both come with protobuf classes, and MindSpore's are of an age that only
protobuf's Python implementation reads. The one that is imported first decides for the process.
"""

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
