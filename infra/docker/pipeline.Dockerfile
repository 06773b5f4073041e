# The pipeline's image: every step on Kubeflow, the CronJob, and `slipway` without a Python of your own.
# Built at the repository's root; infra/docker/README.md says how, and how to put your model.py into it.
ARG BUILDER_IMAGE=python:3.11-bookworm
ARG BASE_IMAGE=python:3.11-slim-bookworm

# Compilers stay in this stage: one dependency (pyfarmhash) is built from source.
FROM ${BUILDER_IMAGE} AS environment
COPY requirements/lock.txt requirements/bootstrap.txt /build/requirements/
COPY infra/sql_util_shim.py /build/infra/
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --require-hashes -r /build/requirements/bootstrap.txt \
 && VIRTUAL_ENV=/opt/venv /opt/venv/bin/uv pip sync --quiet --no-cache --system-certs --require-hashes /build/requirements/lock.txt \
 && /opt/venv/bin/python /build/infra/sql_util_shim.py \
 && (/opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib/python3.11/site-packages >/dev/null || true)

FROM ${BASE_IMAGE}
COPY --from=environment /opt/venv /opt/venv
COPY setup.py pyproject.toml README.md LICENSE /opt/slipway/
COPY pipeline /opt/slipway/pipeline
COPY components /opt/slipway/components
COPY data /opt/slipway/data
COPY serving /opt/slipway/serving
COPY configs /work/configs
RUN /opt/venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --no-deps --no-build-isolation --no-index --editable /opt/slipway \
 && mkdir /work/data && ln -s /opt/slipway/data/schemas /work/data/schemas \
 && chown -R 65532:0 /work && chmod -R g+rwX /work
ARG VERSION=unknown
ARG REVISION=
LABEL org.opencontainers.image.title="slipway-pipeline" \
      org.opencontainers.image.description="Slipway's pipeline: every stage, and the slipway command" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# ML Metadata aborts where the system has no time zones, as small images have not.
ENV TZDIR=/opt/venv/lib/python3.11/site-packages/tzdata/zoneinfo
ENV PATH=/opt/venv/bin:$PATH HOME=/work USER=slipway SLIPWAY_COMMIT=${REVISION} \
    TF_USE_LEGACY_KERAS=1 TF_CPP_MIN_LOG_LEVEL=1 PYTHONUNBUFFERED=1
# A number, because Kubernetes cannot tell of a name that it is not root.
USER 65532
WORKDIR /work
ENTRYPOINT ["slipway"]
