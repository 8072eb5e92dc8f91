# `cxr pacs` alone: no model, no torch, no BentoML. From the root of the repository:
#   docker build -f deploy/orthanc/pacs.Dockerfile -t deepcovidexplainer-pacs .
FROM python:3.11-slim
COPY requirements/pacs.txt /tmp/pacs.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/pacs.txt \
    && useradd --uid 1034 cxr && install -d -o cxr -m 0700 /spool
WORKDIR /app
COPY cxr/__init__.py cxr/labels.py cxr/
COPY hospital hospital
USER cxr
VOLUME /spool
ENTRYPOINT ["python", "-m", "hospital"]
