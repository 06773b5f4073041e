# The model server alone: what it needs of the lock file, and none of the pipeline. Built by `make serving-image`:
#   docker run -p 8500:8500 -p 8501:8501 -v $PWD/bucket:/models:ro localhost/slipway-serving \
#     --model_name=digits --model_base_path=/models/digits
ARG BUILDER_IMAGE=python:3.11-bookworm
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BUILDER_IMAGE} AS environment
COPY requirements/lock.txt requirements/bootstrap.txt pyproject.toml /build/
# Empty for an image that serves LiteRT releases only, a tenth of the size.
ARG TENSORFLOW=tensorflow
# The lock file's versions and digests hold for what the extras name, and for what that needs.
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
      --require-hashes -r /build/bootstrap.txt \
 && VIRTUAL_ENV=/opt/venv /opt/venv/bin/uv pip install --quiet --no-cache --system-certs --only-binary :all: \
      -r /build/pyproject.toml --extra serving --extra s3 --extra gcs ${TENSORFLOW} --constraint /build/lock.txt \
 && /opt/venv/bin/python -m pip uninstall --quiet --yes uv pip \
 && (python3 -m compileall -q -j 0 /opt/venv/lib/python3.11/site-packages >/dev/null || true)

FROM ${BASE_IMAGE}
COPY --from=environment /opt/venv /opt/venv
COPY pyproject.toml LICENSE /opt/slipway/
COPY serving /opt/slipway/serving
ARG VERSION=unknown
ARG REVISION=
LABEL org.opencontainers.image.title="slipway-serving" \
      org.opencontainers.image.description="Slipway's model server, with the flags of tensorflow_model_server" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/opt/slipway HOME=/tmp SLIPWAY_COMMIT=${REVISION} \
    TF_CPP_MIN_LOG_LEVEL=2 PYTHONUNBUFFERED=1
EXPOSE 8500 8501
# A number, because Kubernetes cannot tell of a name that it is not root.
USER 65532
ENTRYPOINT ["python", "-m", "serving.serve"]
CMD ["--port=8500", "--rest_api_port=8501", "--model_base_path=/models/model"]
