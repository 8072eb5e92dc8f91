"""The same pipeline behind other servers, each written as its own documentation would.

All share `cxr`: decoding, pre-processing, ONNX graph and session options are ours, so that what differs is the
server. `python -m loadtests.peers.NAME PORT THREADS WORKERS` starts one: threads of one inference, and inferences at
once, which LitServe makes processes and FastAPI leaves to its thread pool.
"""
