# One image for every process; which one it is, its command says.
FROM python:3.11.14-slim-bookworm

RUN useradd --system --create-home --home-dir /var/lib/writeback writeback
WORKDIR /app
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY schemas schemas
COPY streams streams
RUN pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

USER writeback
WORKDIR /var/lib/writeback
ENV WRITEBACK_DATADIR=/var/lib/writeback/rows
ENTRYPOINT ["writeback"]
CMD ["--help"]
