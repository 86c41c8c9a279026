# Two stages: the wheel is built in the first, so that the image holds neither the sources nor what builds them.
FROM python:3.13-slim-trixie AS build
WORKDIR /source
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY pipeline pipeline
COPY replay replay
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim-trixie
RUN useradd --system --create-home --home-dir /var/lib/stillwatch stillwatch
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -rf /wheels
USER stillwatch
WORKDIR /var/lib/stillwatch
# Compiled loops are kept here, so that only the first start compiles; mount a volume to keep them over restarts.
ENV NUMBA_CACHE_DIR=/var/lib/stillwatch/compiled PYTHONUNBUFFERED=1
EXPOSE 6066
STOPSIGNAL SIGTERM
ENTRYPOINT ["stillwatch"]
CMD ["--help"]
