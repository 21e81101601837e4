import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { compose } from "./compose.ts";

/** What `kubectl apply -f` needs to install Strata; `image` replaces the controller's image. */
export function installManifest(image?: string): string {
  const manifest = compose(join(import.meta.dirname, "default"));
  return image === undefined ? manifest : manifest.replace(/^(\s+image:) .+$/gm, `$1 ${image}`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      image: { type: "string" },
      out: { type: "string", default: join(import.meta.dirname, "../dist/install.yaml") },
    },
  });
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, installManifest(values.image));
}
