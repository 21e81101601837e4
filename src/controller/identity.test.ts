import { afterEach, beforeEach, expect, it } from "vitest";
import { serviceAccounts } from "../../api/kinds.ts";
import { CodedError } from "../errors.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import type { IssuedToken } from "../testing/registry/auth.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

const key = (name: string): string => `credential.auth.fluxcd.io/${name}`;
/** What the API server makes of an account: as a JWT, without a signature. */
const tokenFor = (name: string, audience: string): string =>
  `e30.${Buffer.from(JSON.stringify({ sub: name, aud: audience, exp: Math.floor(Date.now() / 1000) + 3600 })).toString("base64url")}.`;

/** A registry that takes tokens of the cluster: it knows none of them, and reads each. */
class ClusterTokens extends Map<string, IssuedToken> {
  override get(token: string): IssuedToken | undefined {
    if (!token.startsWith("e30.")) return super.get(token);
    const { sub, aud } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as {
      sub: string;
      aud: string;
    };
    const scopes = sub === "reader" ? ["flux/app:pull"] : ["published/app:pull", "published/app:push"];
    return aud === `https://${registry.host}` ? { account: sub, scopes, expiresAt: Infinity } : undefined;
  }
}

let registry: TestRegistry;
let controller: TestReconciler;
let denied: boolean;
beforeEach(async () => {
  denied = false;
  registry = await startRegistry({
    fixtures: true,
    auth: { kind: "token", accounts: {}, issued: new ClusterTokens() },
  });
  controller = await startTestReconciler({
    issueToken: ({ name }, audience) => {
      if (denied) throw new CodedError("AccessDenied", "serviceaccounts/token is forbidden");
      return tokenFor(name, audience);
    },
  });
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const account = (name: string, annotations: Record<string, string>): void =>
  void controller.kube.put(serviceAccounts, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { namespace: "default", name, annotations },
  });
const spec = (more: object = {}): object => specOf(registry, "flux/app", { serviceAccountName: "reader", ...more });

it("reads and pushes as ServiceAccounts, each in its place", async () => {
  account("reader", { [key("provider")]: "kubernetes" });
  account("writer", { [key("provider")]: "kubernetes" });
  const oci = { url: `oci://${registry.host}/published/app`, insecure: true, serviceAccountName: "writer" };
  await controller.apply("app", spec({ publish: { oci } }));
  await controller.reconcile("app");
  const object = await controller.get("app");
  expect(conditionOf(object, "Ready")?.status).toBe("True");
  expect(object?.status?.published).toMatchObject([{ kind: "OCIArtifact", url: oci.url }]);
  await controller.apply("app", spec({ publish: { oci: { ...oci, serviceAccountName: "reader" } } }));
  await controller.reconcile("app");
  expect(conditionOf(await controller.get("app"), "Published")).toMatchObject({ status: "False" });
});

it.each<[string, Record<string, string>, string]>([
  ["without the annotations", {}, "OCIArtifactPullFailed"],
  ["for another audience", { [key("audiences")]: "elsewhere" }, "OCIArtifactPullFailed"],
])("is refused %s, and says whose token it was", async (_, annotations, reason) => {
  account("reader", annotations);
  await controller.apply("app", spec());
  await controller.reconcile("app");
  const ready = conditionOf(await controller.get("app"), "Ready");
  expect(ready).toMatchObject({ status: "False", reason });
  expect(ready?.message).toContain("ServiceAccount default/reader");
  expect(ready?.message).not.toContain("e30.");
});

it("says what is missing where the controller may make no tokens, and goes on once it may", async () => {
  account("reader", { [key("provider")]: "kubernetes" });
  denied = true;
  await controller.apply("app", spec());
  expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
  const failed = conditionOf(await controller.get("app"), "FetchFailed");
  expect(failed).toMatchObject({ status: "True", reason: "AuthenticationFailed" });
  expect(failed?.message).toContain("object-level-identity");
  denied = false;
  await controller.reconcile("app");
  expect(conditionOf(await controller.get("app"), "Ready")?.status).toBe("True");
});
