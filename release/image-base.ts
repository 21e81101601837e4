/** What the controller's image stands on, as the Dockerfile has it too; Renovate moves both. */
export const defaultBase =
  "oci://gcr.io/distroless/nodejs24-debian13:nonroot@sha256:9eeb7f5887d0e239e78264b06f7f11d2e14be534050481803a9e4728fcdd278e";

/**
 * The name of a base for the image's label. @param base `oci://…@sha256:…` or `oci-layout://…`
 * @throws Error where it is at a registry and has no digest: what a tag names may be another image tomorrow
 */
export function baseName(base: string): string {
  if (!/^oci(?:-layout)?:\/\//.test(base))
    throw new Error(`--base ${base} is not a base: write oci://HOST/REPOSITORY@sha256:… or oci-layout://PATH`);
  if (base.startsWith("oci://") && !/@sha256:[0-9a-f]{64}$/.test(base))
    throw new Error(
      `--base ${base} names no digest, so tomorrow's image could stand on another base: write ${base.replace(/@.*$/, "")}@sha256:… (what "crane digest" prints)`,
    );
  return base.replace(/^[a-z-]+:\/\//, "").replace(/@.*$/, "");
}
