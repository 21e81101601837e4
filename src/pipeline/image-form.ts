import { FLUX_CONTENT_MEDIA_TYPE } from "../../api/v1beta1/constants.ts";
import { fetchAll } from "../oci/fetch-all.ts";
import { ociEmptyType } from "../oci/media-types.ts";
import type { Layer } from "../oci/types.ts";
import type { ImageForm } from "../store/store.ts";
import type { BuildContext, Built, Content } from "./build.ts";
import { contentRepository } from "./component.ts";

/** Helm reads name and version from the config of a chart. */
const helmLayerType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const helmConfigType = "application/vnd.cncf.helm.config.v1+json";
/** The layer of charts that helm before 3.7 has pushed; later ones still pull them. */
const legacyLayerType = "application/tar+gzip";
const maxConfigBytes = 1024 * 1024;

/**
 * How the artifact looks as an OCI artifact: a chart that is published byte for byte stays a chart, so that helm and
 * helm-controller can pull it; all else is of `publish.oci.mediaType`. It is kept also where nobody reads it so far: the endpoint
 * may be switched on later.
 * @throws what the registry client throws for the chart's config
 */
export async function imageFormOf(
  context: Omit<BuildContext, "dir">,
  { selection, result }: Built<Content>,
): Promise<Partial<ImageForm>> {
  const { spec, signal } = context;
  const mediaType = spec.publish?.oci?.mediaType ?? FLUX_CONTENT_MEDIA_TYPE;
  const layer = selection.layers[0];
  const isCopied = result.blob.verbatim && selection.operation === "Copy" && mediaType === FLUX_CONTENT_MEDIA_TYPE;
  if (!isCopied || layer === undefined || !isChart(layer)) return { layerMediaType: mediaType };
  const { config } = layer.node.manifest;
  // A chart that was a blob by itself has none, and no helm could pull it.
  if (config.mediaType === ociEmptyType) return { layerMediaType: mediaType };
  return {
    layerMediaType: layer.descriptor.mediaType,
    config: {
      mediaType: config.mediaType,
      bytes: await fetchAll(contentRepository(context), config, maxConfigBytes, signal),
    },
  };
}

function isChart({ descriptor: { mediaType }, node }: Layer): boolean {
  return (
    mediaType === helmLayerType || (mediaType === legacyLayerType && node.manifest.config.mediaType === helmConfigType)
  );
}
