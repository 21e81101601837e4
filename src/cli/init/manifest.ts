import type { Naming, PickedSpec } from "../html/model.ts";
import { consumerOf } from "../html/consumer.ts";
import { consumerObject, yamlLines, yamlScalar } from "../html/spec-yaml.ts";
import type { Choice, Decided } from "./choice.ts";
import { counted } from "../../text/count.ts";
import { plain } from "../terminal.ts";

const maxListed = 10;

export interface InitFacts {
  /** The reference as it was given, for the first comment. */
  readonly reference: string;
  readonly url: string;
  /** False where the artifact lies on disk and the URL only stands for one. */
  readonly hasUrl: boolean;
  readonly insecure: boolean;
  readonly ref: PickedSpec["ref"];
  readonly naming: Naming;
  readonly choice: Choice;
  /** Who made the signature, where one was found. */
  readonly signedBy: "cosign" | "notation" | "ocm" | undefined;
}

/** The ArtifactRepository, and what consumes its artifact where that is known: YAML documents with comments. */
export function initManifests(facts: InitFacts): string {
  const documents = [artifactRepository(facts), ...consumer(facts)];
  return `${documents.map((lines) => lines.join("\n")).join("\n---\n")}\n`;
}

function artifactRepository(facts: InitFacts): string[] {
  const { reference, url, hasUrl, insecure, naming, choice } = facts;
  return [
    comment(`${reference}: everything below it is drawn by strata tree.`, ""),
    comment(takenText(choice), ""),
    "apiVersion: source.strata.dev/v1beta1",
    "kind: ArtifactRepository",
    ...metadata(naming),
    "spec:",
    ...(hasUrl ? [] : ["  # Where the artifact will be pushed to: put its repository here."]),
    ...yamlLines({ url, ...(insecure && { insecure }) }, "  "),
    "  # How often the registry is asked for a newer version.",
    ...yamlLines({ interval: naming.interval }, "  "),
    ...refLines(facts),
    ...selectorLines(choice, "component"),
    ...selectorLines(choice, "indexSelector"),
    ...selectorLines(choice, "layerSelector"),
    ...verifyLines(facts),
  ];
}

function takenText({ selection: { layers, operation, profile, note } }: Choice): string {
  const what = `${counted(layers.length, "layer")}, ${operation}${profile === undefined ? "" : `, because its layout is ${profile}`}`;
  return `This spec takes ${what}${note === undefined ? "" : `; ${note}`}.`;
}

function metadata({ name, namespace }: Naming): string[] {
  return yamlLines({ metadata: { name, ...(namespace !== "" && { namespace }) } }, "");
}

function refLines({ ref, choice }: InitFacts): string[] {
  const { tag } = ref;
  if (choice.digest !== undefined)
    return [
      ...decidedLines(choice, "ref"),
      "  # A digest stays what it is: nothing newer is looked for.",
      ...yamlLines({ ref: { digest: choice.digest } }, "  "),
    ];
  if (Object.keys(ref).length === 0)
    return [
      "  # The tag latest, because there is no ref. Better name a version:",
      "  # ref:",
      '  #   semver: ">=1.0.0"',
    ];
  const range =
    tag === undefined || !/^v?\d+\.\d+\.\d+/.test(tag)
      ? []
      : [
          comment(
            `To follow versions, write instead of tag: semver: ${yamlScalar(`>=${tag.replace(/^v/, "").replace(/_|\.build-/, "+")}`)}`,
            "    ",
          ),
        ];
  return ["  ref:", ...(ref.digest === undefined ? range : []), ...yamlLines(ref, "    ")];
}

function selectorLines(choice: Choice, field: "component" | "indexSelector" | "layerSelector"): string[] {
  const selector = choice[field];
  if (selector === undefined || Object.keys(selector).length === 0) return [];
  return [...decidedLines(choice, field), ...yamlLines({ [field]: selector }, "  ")];
}

function decidedLines({ decided }: Choice, field: Decided["field"]): string[] {
  return decided.filter((one) => one.field === field).flatMap(candidateLines);
}

function candidateLines({ candidates, count }: Decided): string[] {
  const more = count - Math.min(candidates.length, maxListed);
  const rows = candidates.slice(0, maxListed).map((line) => comment(`  ${line}`, "  "));
  return [
    "  # One choice of several; strata build --dry-run says what it takes. There is:",
    ...rows,
    ...(more > 0 ? [`  #   and ${more} more`] : []),
  ];
}

function verifyLines({ signedBy }: InitFacts): string[] {
  if (signedBy === undefined) return [];
  const secret = { cosign: "cosign-keys", notation: "notation-certificates", ocm: "ocm-keys" }[signedBy];
  return [
    "  # It carries a signature. To refuse whatever is not signed by you, make the Secret and write",
    "  # verify:",
    `  #   provider: ${signedBy}`,
    "  #   secretRef:",
    `  #     name: ${secret}`,
  ];
}

/** What reads the artifact: Kubernetes manifests are applied, a chart is installed. */
function consumer({ naming, choice: { selection } }: InitFacts): string[][] {
  const kind = consumerOf(selection);
  if (kind === undefined) return [];
  const controller = kind === "HelmRelease" ? "helm-controller" : "kustomize-controller";
  const lines = yamlLines(consumerObject(kind, naming), "").flatMap((line) =>
    line.startsWith("  path:")
      ? ["  # The directory with kustomization.yaml, or with nothing but manifests.", line]
      : [line],
  );
  return [[`# ${controller} needs --feature-gates=ExternalArtifact=true.`, ...lines]];
}

function comment(text: string, indent: string): string {
  return `${indent}# ${plain(text)}`;
}
