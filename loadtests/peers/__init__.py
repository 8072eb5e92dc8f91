"""The same pipeline behind other servers, each written in the way of its own documentation.

All use `cxr` for decoding, pre-processing, ONNX graph and session options, so that only the server differs. `python -m
loadtests.peers.NAME PORT THREADS WORKERS` starts one. THREADS are threads of one inference; WORKERS are inferences at
once: processes in LitServe, threads of the pool in FastAPI.
"""
