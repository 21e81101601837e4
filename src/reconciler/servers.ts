import { KIND } from "../../api/v1beta1/constants.ts";
import { serverLimits } from "../config.ts";
import type { EmbeddedEndpoint } from "../publish/oci-repository.ts";
import { artifactHandler } from "../serve/artifact-server.ts";
import { advertisedAddress, listen, type Certificate, type HttpServer } from "../serve/listen.ts";
import { ociHandler } from "../serve/oci-endpoint.ts";
import type { ArtifactPath } from "../store/artifact-path.ts";

export interface ServerOptions {
  readonly root: string;
  readonly address: string;
  /** "" is the host's name and the port that is listened on. */
  readonly advertised: string;
  readonly hostname: string;
  /** The artifact server speaks HTTPS with it; without it, plain HTTP. */
  readonly certificate?: (() => Certificate) | undefined;
  readonly oci:
    { readonly address: string; readonly advertised: string; readonly certificate?: () => Certificate } | undefined;
  /** Whether this process may answer: it holds the files that count. */
  readonly ready: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly onMissing?: (path: ArtifactPath) => void;
}

/** The artifact server and, where it is asked for, the OCI endpoint. */
export interface Servers {
  /** `host:port` under which consumers find the artifacts; with `https://` where that is spoken. */
  readonly advertised: string;
  readonly oci: EmbeddedEndpoint | undefined;
  close(graceMs: number): Promise<void>;
}

/** @throws StorageFailed, InvalidSpec (address) */
export async function startServers(options: ServerOptions): Promise<Servers> {
  const { root, ready, hostname, onMissing } = options;
  const running: HttpServer[] = [];
  const start = async (
    handler: Parameters<typeof listen>[0],
    address: string,
    advertised: string,
    certificate?: () => Certificate,
  ): Promise<string> => {
    const server = await listen(handler, {
      address,
      limits: serverLimits,
      onError: options.onError,
      ...(certificate && { certificate }),
    });
    running.push(server);
    return advertisedAddress(advertised, address, { hostname, port: server.port });
  };
  try {
    const advertised = await start(
      artifactHandler({ root, ready, onMissing }),
      options.address,
      options.advertised,
      options.certificate,
    );
    const { oci } = options;
    const endpoint = ociHandler({ root, kind: KIND, ready, onMissing });
    const ociAddress = oci && (await start(endpoint, oci.address, oci.advertised, oci.certificate));
    return {
      advertised: options.certificate && !advertised.includes("://") ? `https://${advertised}` : advertised,
      oci: ociAddress === undefined ? undefined : { address: ociAddress, insecure: oci?.certificate === undefined },
      close: async (graceMs) => void (await Promise.all(running.map((server) => server.close(graceMs)))),
    };
  } catch (error) {
    await Promise.all(running.map((server) => server.close(0)));
    throw error;
  }
}
