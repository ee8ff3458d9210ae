# `docker build .` is the server; `docker build --target demo .` brings its own PostgreSQL and needs nothing else.
FROM python:3.13-slim AS build
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements requirements
RUN pip install --require-hashes -r requirements/serve.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY engine engine
COPY migrations migrations
RUN pip install --no-deps --no-build-isolation ./engine .

FROM build AS build-demo
RUN pip install --require-hashes -r requirements/run.txt

FROM python:3.13-slim AS base
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent colloquy \
    && install -d -o colloquy -g 0 -m 0775 /data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
USER 10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["colloquy"]

FROM base AS demo
COPY --from=build-demo /venv /venv
VOLUME /data
CMD ["run"]

FROM base AS server
COPY --from=build /venv /venv
ENV ENVIRONMENT=production
CMD ["serve"]
