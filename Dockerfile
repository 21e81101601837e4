# syntax=docker/dockerfile:1
# docker buildx build --platform linux/amd64,linux/arm64 -t ghcr.io/strata-dev/strata-controller:dev .

# The bundles are the same for every architecture, so they are built once, on the builder's own.
FROM --platform=$BUILDPLATFORM node:24-trixie-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# Node must be told that the bundles are ES modules once package.json is no longer beside them.
RUN npm run build && echo '{"type":"module"}' > dist/package.json

# The base image is the target architecture's. It has Node and nothing else: no shell, no package manager.
FROM gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e
ARG TARGETARCH
LABEL org.opencontainers.image.title="strata-controller" \
      org.opencontainers.image.licenses="Apache-2.0" \
      dev.strata.architecture="${TARGETARCH}"
WORKDIR /app
COPY --from=build /src/dist ./
USER 65532:65532
ENV NODE_ENV=production
# As in the first line of the program, which only a shell would read.
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/strata-controller.js"]
