import type { Descriptor } from "../oci/types.ts";

/** The JSON of a descriptor, with the names of the image-spec. */
export function descriptorJson({ platform, ...rest }: Descriptor): object {
  if (!platform) return rest;
  const { osVersion, osFeatures, ...plain } = platform;
  return {
    ...rest,
    platform: {
      ...plain,
      ...(osVersion && { "os.version": osVersion }),
      ...(osFeatures && { "os.features": osFeatures }),
    },
  };
}
