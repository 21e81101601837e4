import { join } from "node:path";
import type { ControllerConfig } from "../config.ts";
import { type ReadRoot, sigstoreRoot, type SigstoreRootOptions } from "../reconciler/sigstore-root.ts";
import type { Logger } from "../runtime/log.ts";
import type { Metrics } from "../runtime/metrics.ts";

/** As the controller's flags say; undefined where they say to ask nobody. @throws InvalidSpec */
export async function controllerRoot(
  { flags, proxy }: Pick<ControllerConfig, "flags" | "proxy">,
  { logger, metrics }: { readonly logger: Pick<Logger, "log">; readonly metrics: Pick<Metrics, "trustedRoot"> },
  stopping: AbortSignal,
): Promise<ReadRoot | undefined> {
  if (!flags["sigstore-tuf"]) return undefined;
  const report: SigstoreRootOptions["report"] = (state) => {
    metrics.trustedRoot(state);
    if (state.result === "success") logger.log("info", "the trusted root of Sigstore was refreshed", {});
    if (state.result !== "failure") return;
    const last = state.refreshedAt === undefined ? "never" : new Date(state.refreshedAt).toISOString();
    logger.log("error", "the trusted root of Sigstore could not be refreshed", { error: state.error, refreshed: last });
  };
  const [mirror, rootFile] = [flags["sigstore-tuf-mirror"], flags["sigstore-tuf-root"]];
  // Nothing but the storage can be written.
  const directory = join(flags["storage-path"], ".sigstore");
  return await sigstoreRoot({ mirror, rootFile, directory, proxy, report }, stopping);
}
