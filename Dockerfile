# The image of Countersign, built with the command of `make build`: one binary, the certificates it trusts, and nothing
# to get a shell in.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY templates templates
COPY static static
COPY migrations migrations
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked \
    && install -D -m 0755 target/release/countersign /out/countersign \
    && install -d -m 0700 /out/data

# Distroless: glibc, libgcc, CA certificates and time zones.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /out/countersign /usr/local/bin/countersign
# A new named volume takes over the owner of the directory that it is mounted on.
COPY --from=build --chown=10001:10001 /out/data /var/lib/countersign

USER 10001:10001
WORKDIR /var/lib/countersign
EXPOSE 8443 8444
STOPSIGNAL SIGTERM
# The binary asks its own /readyz, so that the image needs no other program.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/countersign", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/countersign"]
CMD ["serve"]
