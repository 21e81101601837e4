import * as z from "zod";
import { commonMetadataSchema } from "./common-metadata.ts";
import { FLUX_CONTENT_MEDIA_TYPE } from "./constants.ts";
import { certificatesOfTls, list, localRef, registryAccess } from "./fields.ts";
import { isSet, withRules, type Rule } from "./rules.ts";

const signSchema = z
  .strictObject({
    secretRef: localRef(
      "A Secret with the private key: `cosign.key`, as `cosign generate-key-pair` writes it or in PEM (ECDSA, RSA, Ed25519), and `cosign.password` where it is encrypted.",
    ),
    legacyTag: z
      .boolean()
      .describe(
        "Sign under the tag `sha256-<digest>.sig` as well, for readers that know no Sigstore bundles: cosign before 3.0, older policy engines.",
      )
      .optional(),
  })
  .describe(
    "Signs what is pushed as cosign does, and attests how it was made (https://source.strata.dev/derivation/v1). Nothing goes to a transparency log.",
  );

const publishOciSchema = withRules(
  z
    .strictObject({
      url: z
        .string()
        .max(512)
        .regex(
          /^oci:\/\/[^/@]+(\/[^/:@]+)+$/,
          "write oci://registry/repository without a tag; tags belong in publish.oci.tags",
        )
        .describe("The repository to push to, `oci://registry/repository`, without a tag."),
      tags: list(
        z.string().min(1).max(512).describe("A tag, such as `stable`, or with variables, such as `{tag}`."),
        "Aliases to set on what was pushed, such as `stable` or `{tag}`. They are moved, never listed.",
        32,
      ).optional(),
      ...registryAccess,
      mediaType: z
        .string()
        .min(1)
        .max(255)
        .default(FLUX_CONTENT_MEDIA_TYPE)
        .describe("Media type of the one layer. Argo CD reads `application/vnd.oci.image.layer.v1.tar+gzip`."),
      retain: z
        .int()
        .min(1)
        .max(100)
        .describe("How many pushed manifests to keep; older ones are deleted. Without it none is.")
        .optional(),
      sign: signSchema.optional(),
      referrers: z
        .literal("Copy")
        .describe(
          "`Copy`: what refers to the upstream manifest, such as SBOMs and signatures, is pushed beside the artifact where the layer's bytes are unchanged.",
        )
        .optional(),
    })
    .describe("Push the result to a registry as an artifact with one layer."),
  [certificatesOfTls],
);
export type PublishOci = z.output<typeof publishOciSchema>;

/** `spec.publish`; when absent, `{externalArtifact: {}}`. */
export const publishSchema = withRules(
  z
    .strictObject({
      externalArtifact: z
        .strictObject({
          exportedAnnotations: list(
            z.string().min(1).max(317).describe("A key, such as `org.opencontainers.image.version`."),
            "Keys of upstream's annotations that are exported as `status.exportedInputs.annotations`, beside url, tag and digest.",
          ).optional(),
        })
        .describe("An ExternalArtifact of the same name and namespace. The default when publish is absent.")
        .optional(),
      ociRepository: z
        .strictObject({})
        .describe("A managed OCIRepository of the same name and namespace that reads the published OCI artifact.")
        .optional(),
      oci: publishOciSchema.optional(),
      commonMetadata: commonMetadataSchema.optional(),
    })
    .describe("Where the result goes; several may be combined. When absent: an ExternalArtifact."),
  [
    {
      cel: "has(self.externalArtifact) || has(self.ociRepository) || has(self.oci)",
      holds: ({ externalArtifact, ociRepository, oci }) => [externalArtifact, ociRepository, oci].some(isSet),
      message: "write at least one of externalArtifact: {}, ociRepository: {} and oci, or remove publish",
    },
    {
      cel: "!has(self.commonMetadata) || has(self.externalArtifact) || has(self.ociRepository)",
      holds: ({ commonMetadata, externalArtifact, ociRepository }) =>
        commonMetadata === undefined || externalArtifact !== undefined || ociRepository !== undefined,
      message:
        "commonMetadata is for the objects that are published; write externalArtifact: {} or ociRepository: {} too, or remove it",
    },
  ],
);

type Publish = z.output<typeof publishSchema>;

/** Names that Docker Hub is known by. */
const dockerHub = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];
const repositoryPattern = "^oci://[^/]+/[^:@]+";

/** A repository in one spelling: without tag, digest and default port, Docker Hub under one of its names. */
function spelled(url: string): string {
  const plain = new RegExp(repositoryPattern).exec(url.toLowerCase())?.[0] ?? "";
  const named = dockerHub.reduce((text, name) => text.replace(`://${name}/`, "://docker.io/"), withoutPort(plain));
  return named.replace("://docker.io/library/", "://docker.io/");
}

const withoutPort = (url: string): string => url.replace(":443/", "/").replace(":80/", "/");

/** The same in CEL. */
function spelledInCel(field: string): string {
  const names = dockerHub.map((name) => `.replace('://${name}/', '://docker.io/')`).join("");
  return `${field}.lowerAscii().find('${repositoryPattern}').replace(':443/', '/').replace(':80/', '/')${names}.replace('://docker.io/library/', '://docker.io/')`;
}

/** Aliases in the repository that is read would be chosen as its next version, and stand where its own tags stand. */
export const aliasesElsewhere: Rule<{ readonly url: string; readonly publish?: Publish | undefined }> = {
  cel: `!has(self.publish) || !has(self.publish.oci) || !has(self.publish.oci.tags) || size(self.publish.oci.tags) == 0 || ${spelledInCel("self.url")} != ${spelledInCel("self.publish.oci.url")}`,
  holds: ({ url, publish: { oci } = {} }) =>
    oci === undefined || (oci.tags ?? []).length === 0 || spelled(url) !== spelled(oci.url),
  message:
    "publish.oci.tags would be set in the repository of url, among the tags that are read; write another repository in publish.oci.url, or remove publish.oci.tags",
};
