# An image that counts and serves, on a CPU:
#
#     docker build -t cpcnn_jax .
#     docker run --rm -v "$PWD:/data" cpcnn_jax count /data/photo.jpg --overlay /data/overlays
#     docker run --rm -p 8000:8000 cpcnn_jax serve --host 0.0.0.0
#
# --build-arg EXTRAS=all adds training; --build-arg JAX='jax[cuda13]' computes on NVIDIA
# GPUs, with `docker run --gpus all`.
FROM python:3.12-slim
ARG EXTRAS=video,serve
ARG JAX=jax
COPY . /tmp/cpcnn_jax
RUN pip install --no-cache-dir --constraint /tmp/cpcnn_jax/constraints.txt \
        "/tmp/cpcnn_jax[$EXTRAS]" "$JAX" \
    && rm -rf /tmp/cpcnn_jax
ENV CPCNN_CACHE=/tmp/cpcnn_jax_cache
WORKDIR /data
EXPOSE 8000
ENTRYPOINT ["cpcnn_jax"]
CMD ["--help"]
