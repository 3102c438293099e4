# rowferry on little more than the C library it is linked to: no shell, no package manager, no root.
#
#   docker build -t rowferry .
#   docker run --read-only -v rowferry-spill:/var/tmp/rowferry -v ./rowferry.toml:/etc/rowferry/rowferry.toml:ro rowferry
#
# The volume is for rows that must be held and do not fit into memory_limit; nothing in it outlives the process.
# The config and the files it names must be readable for user 65532. To be reached from outside the container, let the
# config say listen = "0.0.0.0:8484".

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
# Cargo wants the files of every target in the manifest to be there.
COPY tests tests
COPY benches benches
COPY docs/openapi.json docs/openapi.json
# The target folder outlives this build, and cargo goes by the files' times: those of another checkout can be older than
# what was built there from different files.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    touch src/lib.rs src/main.rs \
    && cargo build --release --locked --bin rowferry \
    && objcopy --strip-debug target/release/rowferry /rowferry \
    && mkdir /spill

# The C library, libgcc_s, certificates, and a user: the same Debian as above.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /rowferry /usr/local/bin/rowferry
# A new volume takes its owner from the folder that is there.
COPY --from=build --chown=65532:65532 /spill /var/tmp/rowferry
ENV TMPDIR=/var/tmp/rowferry
VOLUME /var/tmp/rowferry
USER 65532:65532
EXPOSE 8484
ENTRYPOINT ["/usr/local/bin/rowferry"]
CMD ["run", "-c", "/etc/rowferry/rowferry.toml"]
# Asks where the config says. Alive is not well: /readyz and `rowferry status` tell what the tasks do.
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s \
    CMD ["/usr/local/bin/rowferry", "status", "--alive", "-c", "/etc/rowferry/rowferry.toml"]
