#!/usr/bin/env bash
# The whole way in a cluster of your own: needs docker, kind, kubectl and flux. Removes the cluster at the end unless KEEP is set.
set -euo pipefail
cd "$(dirname "$0")/.."

cluster="${CLUSTER:-strata-e2e}"
image="ghcr.io/strata-dev/strata-controller:v$(node -p 'require("./package.json").version')"

for tool in docker kind kubectl flux; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: install it, or run 'npm run e2e', which needs none of them" >&2; exit 2; }
done

[ -n "${KEEP:-}" ] || trap 'kind delete cluster --name "$cluster"' EXIT
kind get clusters | grep -qx "$cluster" || kind create cluster --name "$cluster" --wait 2m

docker build -t "$image" .
kind load docker-image "$image" --name "$cluster"

flux install --components=source-controller,kustomize-controller
kubectl -n flux-system patch deployment kustomize-controller --type=json \
  -p='[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--feature-gates=ExternalArtifact=true"}]'
kubectl -n flux-system rollout status deployment kustomize-controller --timeout=2m

npm run --silent build:install
kubectl apply -f dist/install.yaml
kubectl -n strata-system rollout status deployment strata-controller --timeout=2m

# A public artifact; nothing in it but Kubernetes manifests.
kubectl apply -f - <<YAML
apiVersion: source.strata.dev/v1beta1
kind: ArtifactRepository
metadata: {name: podinfo, namespace: default}
spec:
  url: oci://ghcr.io/stefanprodan/manifests/podinfo
  ref: {tag: latest}
  interval: 10m
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: podinfo, namespace: default}
spec:
  interval: 10m
  path: ./
  prune: true
  targetNamespace: default
  sourceRef: {apiVersion: source.toolkit.fluxcd.io/v1, kind: ExternalArtifact, name: podinfo}
YAML
kubectl wait artifactrepository/podinfo --for=condition=ready --timeout=2m
kubectl wait kustomization/podinfo --for=condition=ready --timeout=2m
kubectl get artifactrepositories,externalartifacts
