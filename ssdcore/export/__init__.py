"""Export of the trained network: ONNX, MINDIR, smaller precisions, parity with the checkpoint.

ONNX and MindSpore both bring protobuf classes. Only protobuf's Python implementation reads
MindSpore's older ones, and the first import decides for the process.
"""

import os

os.environ.setdefault("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
