# The `loyalty` command: `docker run IMAGE worker`, `... clock`, `... topics`. Not root, one process, no shell.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt LICENSE README.md ./
COPY compiled compiled
COPY schemas schemas
COPY engine engine
COPY agents agents
COPY streams streams
COPY loyalty loyalty
COPY programmes programmes
RUN python -m venv /opt/loyalty \
 && /opt/loyalty/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .
# The hot modules as machine code; the compilers stay behind in this stage.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt mypy setuptools . \
 && cd /opt/loyalty/lib/python3.11/site-packages && /opt/build/bin/python -m compiled.build

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/loyalty --create-home loyalty
COPY --from=build /opt/loyalty /opt/loyalty
ENV PATH=/opt/loyalty/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOYALTY_STATE_DIR=/var/lib/loyalty
WORKDIR /var/lib/loyalty
# By number: a cluster that wants nobody to be root cannot look a name up.
USER 10001
# A worker that fails in any way ends at once, so a living one is well as long as it has its broker.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os; from streams.broker import ExternalBroker; ExternalBroker(os.environ['KAFKA_BOOTSTRAP'])"]
ENTRYPOINT ["loyalty"]
CMD ["--help"]
