import { titleKey } from "../oci/annotations.ts";
import { dockerConfigType, ociConfigType } from "../oci/media-types.ts";
import type { Descriptor, ManifestNode } from "../oci/types.ts";
import { kitfileOf } from "./kitfile.ts";
import {
  attestationName,
  composeName,
  dockerModelConfig,
  dockerModelName,
  filePath,
  isModelProgram,
  kyvernoName,
  pyociName,
  tektonName,
} from "./profile-names.ts";
import type { Profile } from "./profile.ts";

/**
 * The layouts met in the wild, special ones before general ones. A layout where a choice is needed that nobody but the
 * user can make (Zarf, OCM) has an operation that takes one layer, so that several are refused with the line that decides.
 * A Carvel imgpkg bundle has no row: only a label in its config tells it from any other image.
 */
export const profiles: readonly Profile[] = [
  // `flux push artifact` of a directory.
  {
    name: "flux",
    matches: ofType("application/vnd.cncf.flux.config.v1+json"),
    isContent: typed("application/vnd.cncf.flux.content.v1.tar+gzip"),
    operation: "Extract",
  },
  // … of a single file, whose extension ends the media type.
  {
    name: "flux-file",
    matches: ofType("application/vnd.cncf.flux.config.v1+json"),
    isContent: typed(/^application\/vnd\.cncf\.flux\.content\./),
    operation: "Copy",
  },
  // The provenance often comes first, and hardened charts carry an SBOM; helm reads the layer of this type alone.
  {
    name: "helm",
    matches: ofType("application/vnd.cncf.helm.config.v1+json"),
    isContent: typed("application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
    operation: "Copy",
  },
  // Charts of Helm before 3.7.
  {
    name: "helm",
    matches: ofType("application/vnd.cncf.helm.config.v1+json"),
    isContent: typed("application/tar+gzip"),
    operation: "Copy",
  },
  // Vendored packages, then the module: one tree.
  {
    name: "timoni",
    matches: ofType("application/vnd.timoni.config.v1+json"),
    isContent: typed(/^application\/vnd\.timoni\.content\./),
    operation: "ExtractAll",
  },
  // One policy a layer, without file names.
  {
    name: "kyverno",
    matches: ofType("application/vnd.cncf.kyverno.config.v1+json"),
    isContent: typed(/^application\/vnd\.cncf\.kyverno\.policy\.layer\./),
    operation: "ExtractAll",
    nameOf: kyvernoName,
  },
  // Also the checks of Trivy; titles may hold a path. conftest and oras give a config of any type.
  {
    name: "opa",
    matches: (node) => isOpa(node) || layers((found) => found.every(isOpaLayer))(node),
    isContent: (layer) => isOpaLayer(layer),
    operation: "ExtractAll",
  },
  {
    name: "compose",
    matches: ofType("application/vnd.docker.compose.project", "application/vnd.docker.compose.config.empty.v1+json"),
    isContent: typed(/^application\/vnd\.docker\.compose\.(?:file|envfile)/),
    operation: "ExtractAll",
    nameOf: composeName,
  },
  // The manifest of the bundle.json has no layers; the images of the bundle lie beside it.
  { name: "cnab", matches: isCnab, takesConfig: true, operation: "Copy", nameOf: () => "bundle.json" },
  {
    name: "modelpack",
    matches: ofType(/^application\/vnd\.(?:cnai|cncf)\.model\.(?:manifest|config)\.v1\+json$/),
    isContent: typed(/^application\/vnd\.(?:cnai|cncf)\.model\./),
    operation: "ExtractAll",
    nameOf: filePath,
    isExecutable: isModelProgram,
  },
  {
    name: "kitops",
    matches: ofType("application/vnd.kitops.modelkit.config.v1+json"),
    isContent: typed(/^application\/vnd\.kitops\.modelkit\./),
    operation: "ExtractAll",
    filesOf: kitfileOf,
  },
  // The order of the layers is the order of the shards, which the names keep.
  {
    name: "docker-model",
    matches: ofType(/^application\/vnd\.docker\.ai\.model\.config\.v\d+\.\d+\+json$/),
    operation: "ExtractAll",
    nameOf: dockerModelName,
    filesOf: dockerModelConfig,
  },
  // The zip of the module comes first; the module file after it is also in the zip.
  {
    name: "cue",
    matches: ofType("application/vnd.cue.module.v1+json", "application/vnd.cue.modulearchive.v1+json"),
    isContent: typed("application/zip"),
    operation: "Extract",
  },
  {
    name: "wasm",
    matches: ofType(/^application\/vnd\.wasm\.config\.v\d\+json$/),
    isContent: typed(/^application\/(?:wasm$|vnd\.(?:wasm|module\.wasm)\.)/),
    operation: "Copy",
  },
  {
    name: "opentofu",
    matches: ofType("application/vnd.opentofu.modulepkg", "application/vnd.opentofu.provider-target"),
    isContent: typed("archive/zip"),
    operation: "Extract",
  },
  // `+tar.gz`, not `+tar+gzip`.
  {
    name: "falco",
    matches: ofType(/^application\/vnd\.cncf\.falco\.(?:plugin|rulesfile|asset)\.config\.v1\+json$/),
    isContent: typed(/^application\/vnd\.cncf\.falco\..*layer\./),
    operation: "Extract",
  },
  // Every layer has one type and a title: packages, SBOMs and images, of which the user names one.
  { name: "zarf", matches: ofType("application/vnd.zarf.config.v1+json"), operation: "Copy" },
  // The descriptor of the component, then resources of any type, of which the user names one.
  {
    name: "ocm",
    matches: ofType(
      "application/vnd.ocm.software.component.config.v1+json",
      "application/vnd.ocm.software/ocm.component.config.v1+json",
      "application/vnd.ocm.software.component-descriptor.v2",
    ),
    operation: "Extract",
  },
  {
    name: "cosign-bundle",
    matches: ofType(/^application\/vnd\.dev\.sigstore\.bundle\.v0\.\d\+json$/),
    operation: "Copy",
  },
  {
    name: "tape",
    matches: ofType(/^application\/vnd\.docker\.tape\.content\.v1\w*\.tar\+gzip$/),
    operation: "Extract",
  },
  {
    name: "tape-attestations",
    matches: ofType(/^application\/vnd\.docker\.tape\.attest\.v1\w*\.jsonl\+gzip$/),
    operation: "Copy",
  },
  { name: "pyoci", matches: ofType("application/pyoci.package.v1"), operation: "Copy", nameOf: pyociName },
  {
    name: "homebrew",
    matches: ({ effectiveAnnotations }) => Object.hasOwn(effectiveAnnotations, "sh.brew.bottle.digest"),
    operation: "Extract",
  },
  // The layer of the package alone; what else the image holds is for running it.
  {
    name: "crossplane",
    matches: layers((found) => found.some(isXpkgBase)),
    isContent: isXpkgBase,
    operation: "Extract",
  },
  // The types of its layers are those of an image, but each is a tar of one object.
  {
    name: "tekton",
    matches: layers((found) => found.every((layer) => tektonName(layer) !== undefined)),
    operation: "ExtractAll",
    nameOf: tektonName,
    holdsOneFile: true,
  },
  {
    name: "attestations",
    matches: layers((found) => found.every(typed("application/vnd.in-toto+json"))),
    operation: "ExtractAll",
    nameOf: attestationName,
  },
  {
    name: "image",
    matches: (node) =>
      isImage(node) &&
      layers((found) => found.every((layer) => isImageLayer(layer) && titleOf(layer) === undefined))(node),
    operation: "ExtractAll",
  },
  // Files and directories under their titles, whatever the types say.
  {
    name: "oras",
    matches: layers((found) => found.every((layer) => titleOf(layer) !== undefined)),
    operation: "ExtractAll",
  },
];

/** True where the manifest is of one of the types, by what its index, it itself or its config says. */
function ofType(...types: readonly (string | RegExp)[]): Profile["matches"] {
  return ({ effectiveType, manifest }) =>
    [effectiveType, manifest.artifactType, manifest.config.mediaType].some(
      (said) =>
        said !== undefined && types.some((type) => (typeof type === "string" ? type === said : type.test(said))),
    );
}

function typed(type: string | RegExp): (layer: Descriptor) => boolean {
  return ({ mediaType }) => (typeof type === "string" ? type === mediaType : type.test(mediaType));
}

function layers(test: (layers: readonly Descriptor[]) => boolean): Profile["matches"] {
  return ({ manifest }) => manifest.layers.length > 0 && test(manifest.layers);
}

const isOpa = ofType("application/vnd.cncf.openpolicyagent.config.v1+json");
const isOpaLayer = typed(/^application\/vnd\.cncf\.openpolicyagent\./);

const isImage = ofType(ociConfigType, dockerConfigType);
const isImageLayer = typed(
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](?:gzip|zstd))?$/,
);

function isXpkgBase(layer: Descriptor): boolean {
  return annotation(layer, "io.crossplane.xpkg") === "base";
}

const hasCnabConfig = ofType(/^application\/vnd\.(?:oci\.)?cnab\.(?:bundle\.)?config\.v1\+json$/);

function isCnab(node: ManifestNode): boolean {
  if (node.manifest.layers.length > 0) return false;
  // Registries that refuse the config's type get the one of images.
  return hasCnabConfig(node) || node.effectiveAnnotations["io.cnab.manifest.type"] === "config";
}

function titleOf(layer: Descriptor): string | undefined {
  return annotation(layer, titleKey);
}

function annotation({ annotations }: Descriptor, key: string): string | undefined {
  return (annotations !== undefined && Object.hasOwn(annotations, key) && annotations[key]) || undefined;
}
