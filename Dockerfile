# syntax=docker/dockerfile:1.7@sha256:a57df69d0ea827fb7266491f2813635de6f17269be881f696fbfdf2d83dda33e
# The daemon's image: docker build -t orca-daemon .          its bill of materials: --target sbom --output .
# The base is pinned by digest; a newer one is an argument: --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
RUN python -m venv --without-pip /opt/orca-daemon
COPY requirements/run.txt requirements/run.txt
# Hashes of everything, source builds of nothing.
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m pip --python /opt/orca-daemon/bin/python install \
        --require-hashes --only-binary :all: --no-deps -r requirements/run.txt
COPY deploy/image deploy/image
COPY config/orca-daemon.toml config/orca-daemon.toml
COPY deploy/iam deploy/iam
COPY orca_daemon orca_daemon
COPY pyproject.toml pyproject.toml
RUN /opt/orca-daemon/bin/python deploy/image/finish.py

FROM build AS sbom-build
RUN /opt/orca-daemon/bin/python deploy/image/sbom.py > /sbom.cdx.json

FROM scratch AS sbom
COPY --from=sbom-build /sbom.cdx.json /sbom.cdx.json

FROM ${PYTHON_IMAGE} AS daemon
LABEL org.opencontainers.image.title="orca-daemon" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/orca-daemon /opt/orca-daemon
ENV PATH=/opt/orca-daemon/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/orca-daemon
# Declared, so that a read-only root file system leaves these writable, and Fargate keeps their owner.
VOLUME ["/var/lib/orca-daemon", "/tmp"]
WORKDIR /var/lib/orca-daemon
USER 10001:10001
EXPOSE 9464 9465
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/orca-daemon/bin/python", "-m", "orca_daemon.ops.probe"]
ENTRYPOINT ["/opt/orca-daemon/bin/python", "-m", "orca_daemon"]
CMD ["run"]
