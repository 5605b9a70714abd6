# The stream as a container (docs/operations.md): docker build -t coliseum-stream .
FROM python:3.13-slim
WORKDIR /srv
COPY requirements/api.txt api.txt
RUN pip install --no-cache-dir --require-hashes -r api.txt
COPY layers/coliseum/coliseum coliseum
ENV SSE_SESSION_MAX_SECONDS=900
USER nobody
EXPOSE 8080
CMD ["python", "-m", "coliseum.streaming", "--host", "0.0.0.0", "--port", "8080"]
