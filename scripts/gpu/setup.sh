#!/usr/bin/env bash
# On a GPU machine without a package registry: install what was carried there for scripts/gpu/serving.py, piece by piece.
#
#   bash scripts/gpu/setup.sh CARRIED            # once for each call that carried something; CARRIED holds
#       wheels/*.whl                             # what the service needs and the machine lacks
#       ort.part-00 …                            # onnxruntime-gpu, packed with tar and xz, in pieces
#       ort.sha256                               # of the whole: it is unpacked when all pieces have come
#   PYTHONPATH=/tmp/site python3 -m scripts.gpu.serving …
set -euo pipefail
carried=$1 site=${2:-/tmp/site} pieces=/tmp/ort
mkdir -p "$site" "$pieces"

if compgen -G "$carried/wheels/*.whl" > /dev/null; then
  python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" "$carried"/wheels/*.whl
fi
if compgen -G "$carried/ort.part-*" > /dev/null; then
  cp "$carried"/ort.part-* "$pieces"
fi
if [ ! -d "$site/onnxruntime/capi" ] && cat "$pieces"/ort.part-* | sha256sum --check --status "$carried/ort.sha256"; then
  cat "$pieces"/ort.part-* | tar -xJ -C "$site"
  # onnxruntime looks for CUDA's libraries beside itself.
  nvidia=$(python3 -c 'import nvidia; print(next(iter(nvidia.__path__)))')
  [ "$nvidia" = "$site/nvidia" ] || ln -sfn "$nvidia" "$site/nvidia"
  PYTHONPATH=$site python3 -c 'import onnxruntime; print(onnxruntime.__version__, onnxruntime.get_available_providers())'
fi
