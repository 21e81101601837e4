import type { IncomingMessage, ServerResponse } from "node:http";
import { artifactFile, latestName, ownerOfDirectory, type ArtifactPath } from "../store/artifact-path.ts";
import type { Handler } from "./listen.ts";
import {
  blob,
  json,
  manifest,
  referrers,
  refusal,
  tagList,
  type Answer,
  type Question,
  type Refusal,
} from "./oci-answers.ts";
import { parseRequestTarget } from "./request-target.ts";
import { sendContent, type Content } from "./send-content.ts";
import { storedImages } from "../store/stored-image.ts";

export interface OciEndpointOptions {
  /** Root of the storage. */
  readonly root: string;
  /** Kind of the owners whose artifacts are served; a repository is called `<namespace>/<name>`. */
  readonly kind: string;
  /** False where this process may hold stale files: everything is answered with 503 then. */
  readonly ready: () => boolean;
  /** Told of an artifact that is asked for, and is not there or not of its size. */
  readonly onMissing?: ((path: ArtifactPath) => void) | undefined;
}

/**
 * The pull half of the OCI distribution-spec v1.1 over what is stored. The newest artifact of an object has the tag of its
 * revision and `latest`; superseded ones can be pulled by digest until they are deleted. Repositories are not listed.
 */
export function ociHandler(options: OciEndpointOptions): Handler {
  return async (request, response) => {
    // Older clients tell a registry by this header.
    response.setHeader("docker-distribution-api-version", "registry/2.0");
    const answer = refusalOf(request, options) ?? (await answerTo(request, options));
    if ("error" in answer) refuse(request, response, answer);
    else await sendContent(request, response, answer);
  };
}

function refusalOf({ method }: IncomingMessage, { ready }: OciEndpointOptions): Refusal | undefined {
  if (method !== "GET" && method !== "HEAD")
    return refusal(405, "UNSUPPORTED", "this registry is read-only", { allow: "GET, HEAD" });
  return ready()
    ? undefined
    : refusal(503, "UNAVAILABLE", "another replica serves, or the storage is not checked yet", { "retry-after": "5" });
}

/** distribution-spec v1.1, "Endpoints": end-2, end-3, end-8 and end-12. */
const route = /^v2\/(?<name>[^/]+\/[^/]+)\/(?<kind>manifests|blobs|referrers|tags(?=\/list$))\/(?<reference>[^/]+)$/;

const answers: Readonly<Record<string, Answer>> = { manifests: manifest, blobs: blob, tags: tagList };

async function answerTo(request: IncomingMessage, options: OciEndpointOptions): Promise<Content | Refusal> {
  const target = parseRequestTarget(request.url ?? "");
  if (target === undefined) return nameUnknown();
  if (/^v2\/?$/.test(target.path)) return json({});
  const groups = route.exec(target.path)?.groups as { name: string; kind: string; reference: string } | undefined;
  if (groups === undefined) return nameUnknown();
  if (groups.kind === "referrers") return referrers(groups.reference);
  const question = await questionOf(groups.name, options);
  return (question && (await answers[groups.kind]?.({ ...groups, query: target.query, ...question }))) ?? nameUnknown();
}

/** What is stored under a name; undefined where nothing is. */
async function questionOf(
  name: string,
  { root, kind, onMissing }: OciEndpointOptions,
): Promise<Pick<Question, "images" | "missed"> | undefined> {
  const directory = `${kind.toLowerCase()}/${name}`;
  const owner = ownerOfDirectory(directory);
  if (owner === undefined) return undefined;
  const missed = (file: string): void => onMissing?.({ owner, directory, file });
  const images = await storedImages(root, directory);
  if (images.length > 0) return { images, missed: (digest) => missed(artifactFile(digest)) };
  missed(latestName);
  return undefined;
}

const nameUnknown = (): Refusal =>
  refusal(404, "NAME_UNKNOWN", "nothing is published under this name; repositories are called <namespace>/<name>");

function refuse(request: IncomingMessage, response: ServerResponse, { status, error, headers }: Refusal): void {
  const body = JSON.stringify({ errors: [error] });
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}
