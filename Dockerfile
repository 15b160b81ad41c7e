# The image of longshore: HAProxy's official image, Python and longshore, for one user who is not root.
# script/image builds it. Other bases work too, if they are Debian's or Ubuntu's with HAProxy on the PATH.
ARG HAPROXY_IMAGE=haproxy:3.4

FROM ${HAPROXY_IMAGE} AS base
USER root
# The file capability lets HAProxy have ports below 1024 in the host's network too, where NET_BIND_SERVICE is allowed.
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3 libcap2-bin >/dev/null \
    && setcap cap_net_bind_service=ep "$(command -v haproxy)" \
    && apt-get -qq purge -y libcap2-bin >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
    && echo 'longshore:x:10001:' >>/etc/group \
    && echo 'longshore:x:10001:10001::/var/lib/longshore:/usr/sbin/nologin' >>/etc/passwd \
    && install -d -o longshore -g longshore -m 0750 /var/lib/longshore /run/longshore

FROM base AS build
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/longshore
WORKDIR /source
COPY requirements.lock requirements-build.lock ./
# Behind a proxy that signs with a CA of its own: docker build --secret id=ca,src=ca.pem
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    pip() { /opt/pip/bin/pip "$@" --quiet --no-cache-dir --disable-pip-version-check --require-hashes; } \
    && pip --python /opt/longshore install -r requirements.lock \
    && pip install -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 \
    && /opt/pip/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/pip/bin/pip --python /opt/longshore install --no-deps /wheels/*.whl

FROM base
ARG VERSION=unknown
ARG REVISION=unknown
ARG HAPROXY_IMAGE
LABEL org.opencontainers.image.title="longshore" \
      org.opencontainers.image.description="Load balancing that follows your containers: HAProxy, kept true to Docker at runtime." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${HAPROXY_IMAGE}"
COPY --from=build /opt/longshore /opt/longshore
COPY deploy/image/longshore.yaml /etc/longshore/longshore.yaml
RUN ln -s /opt/longshore/bin/longshore /usr/local/bin/longshore
# The root file system may be read-only: all that is written is in the state directory. /run/longshore is where a socket
# proxy shares its socket through a volume, which takes over the owner.
ENV LONGSHORE_STATE_DIR=/var/lib/longshore \
    TMPDIR=/var/lib/longshore \
    PYTHONDONTWRITEBYTECODE=1
VOLUME ["/var/lib/longshore"]
WORKDIR /var/lib/longshore
USER longshore
EXPOSE 80 8404
STOPSIGNAL SIGTERM
# As `longshore health`, in a third of the time; services that are set aside do not count: a restart mends none.
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=3 \
    CMD ["/opt/longshore/bin/python", "-I", "-m", "longshore.cli.well"]
ENTRYPOINT ["longshore"]
CMD ["up"]
