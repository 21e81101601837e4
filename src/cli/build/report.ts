import type { Writable } from "node:stream";
import { formatVersion } from "../../oci/reference.ts";
import { layerRow } from "../../pipeline/selected.ts";
import { formatIdentity } from "../../component/identity.ts";
import { nameOf, type FoundResource } from "../../component/resolve.ts";
import { componentStatus } from "../../pipeline/component.ts";
import type { Skipped } from "../../operation/operation.ts";
import type { Built } from "../../pipeline/build.ts";
import { coolingMessage, type Cooling } from "../../pipeline/old-enough.ts";
import type { Resolved } from "../../pipeline/resolve.ts";
import type { Selection } from "../../select/selection.ts";
import type { Verification } from "../../verify/verifier.ts";
import { formatBytes } from "../output.ts";
import { counted } from "../../text/count.ts";
import { leftOutLines } from "../left-out.ts";
import { plain } from "../terminal.ts";

/** What is told of a result in text. */
export interface Told {
  /** With the operation that was done. */
  readonly selection: Selection;
  readonly revision: string;
  readonly skipped: Skipped;
  readonly leftOut?: readonly string[] | undefined;
  readonly written: string;
}

/** The fixed form for scripts. */
export function buildDocument(
  { selection, result, revision }: Built,
  { found, verification, cooling }: Pick<Report, "found" | "verification" | "cooling">,
): Record<string, unknown> {
  const { digest, size } = result.blob;
  return {
    revision,
    digest,
    size,
    operation: selection.operation,
    ...(selection.operation === "ExtractAll" && { layout: selection.layout }),
    profile: selection.profile ?? null,
    ...(selection.note !== undefined && { note: selection.note }),
    ...(verification && { verification }),
    ...(cooling && { waiting: waitingOf(cooling) }),
    ...(found && { component: componentStatus(found) }),
    layers: selection.layers.map(layerRow),
    skipped: Object.fromEntries(Object.entries(result.skipped).filter(([, count]) => count > 0)),
    ...(result.leftOut?.length && { leftOut: result.leftOut }),
  };
}

/** The newer version that `verify.minAge` keeps back. */
export function waitingOf({ newest: { tag, root }, until }: Cooling): Record<string, unknown> {
  return {
    ...(tag !== undefined && { tag }),
    digest: root.digest,
    ...(until !== undefined && { until: new Date(until).toISOString() }),
  };
}

interface Report extends Told {
  readonly resolved: Resolved;
  /** What was found in an OCM component version. */
  readonly found: FoundResource | undefined;
  readonly verification: Verification | undefined;
  /** A newer version that is not taken yet. */
  readonly cooling: Cooling | undefined;
}

/** @param out where the text goes: the artifact itself may stand on standard output */
export function printText(out: Writable, report: Report): void {
  const { selection, revision, skipped, leftOut, written, resolved, found, verification, cooling } = report;
  const lines = [
    `upstream   ${plain(formatVersion({ tag: resolved.tag, digest: resolved.root.digest }))}`,
    ...(cooling === undefined ? [] : [`waiting    ${plain(coolingMessage(cooling))}`]),
    ...verifiedLines(verification),
    ...(found === undefined
      ? []
      : [`resource   ${plain(`${formatIdentity(found.resource)} of ${nameOf(found.holder)}`)}`]),
    `selected   ${counted(selection.layers.length, "layer")}, ${selection.operation}${selection.profile === undefined ? "" : ` (${selection.profile})`}`,
    ...selection.layers
      .slice(0, 20)
      .map(
        (layer) =>
          `           ${String(layer.ordinal).padStart(3)}  ${plain(layerRow(layer).title ?? layer.descriptor.mediaType)}  ${formatBytes(layer.descriptor.size)}  ${layer.descriptor.digest.slice(0, 19)}`,
      ),
    ...(selection.layers.length > 20 ? [`           and ${selection.layers.length - 20} more`] : []),
    ...(selection.note === undefined ? [] : [`note       ${plain(selection.note)}`]),
    ...leftOutLines(skipped, leftOut),
    `revision   ${plain(revision)}`,
    `written    ${written}`,
  ];
  out.write(`${lines.join("\n")}\n`);
}

/** What a policy logs instead of enforcing is not a verification. */
function verifiedLines(verification: Verification | undefined): string[] {
  if (verification === undefined) return [];
  const { result, identity, warnings } = verification;
  return [
    `${result === "verified" ? "verified  " : "unverified"} ${plain(identity)}`,
    ...warnings.map((warning) => `warning    ${plain(warning)}`),
  ];
}
