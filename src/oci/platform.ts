import { CodedError } from "../errors.ts";
import type { Platform } from "./types.ts";

/**
 * `os/architecture[/variant]`.
 * @throws InvalidSpec
 */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || variant === "" || rest.length > 0) {
    throw new CodedError(
      "InvalidSpec",
      `"${text.slice(0, 100)}" is not a platform; write os/architecture[/variant], such as linux/arm64/v8`,
    );
  }
  return variant === undefined ? { os, architecture } : { os, architecture, variant };
}

/** `os/architecture[/variant]`, as `parsePlatform` reads it. */
export function formatPlatform(platform: Platform): string {
  const parts = [platform.os, platform.architecture, platform.variant].filter(
    (part) => part !== undefined && part !== "",
  );
  return parts.join("/") + (platform.osVersion ? ` (${platform.osVersion})` : "");
}

/**
 * True where content for `offered` is what `wanted` asks for. A wanted platform without a variant takes every
 * variant; arm64 means arm64/v8 (OCI image-spec, image-index.md, "Platform Variants").
 */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  if (normalOs(wanted.os) !== normalOs(offered.os)) return false;
  const want = normalArchitecture(wanted);
  const offer = normalArchitecture(offered);
  if (want.architecture !== offer.architecture) return false;
  return wanted.variant === undefined || want.variant === offer.variant;
}

function normalOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

const aliases: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  i386: "386",
  armhf: "arm",
};

/** Names of one architecture as containerd normalises them, with the variant that is meant where none is said. */
function normalArchitecture({ architecture, variant }: Platform): { architecture: string; variant: string } {
  const lower = architecture.toLowerCase();
  const name = aliases[lower] ?? lower;
  const said = (variant ?? "").toLowerCase();
  if (name === "arm64") return { architecture: name, variant: said === "8" || said === "" ? "v8" : said };
  if (name === "arm") return { architecture: name, variant: said === "" ? "v7" : said.replace(/^(?=\d)/, "v") };
  if (name === "amd64") return { architecture: name, variant: said === "v1" ? "" : said };
  return { architecture: name, variant: said };
}
