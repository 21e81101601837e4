import { defaultLimits, registryDefaults } from "../../config.ts";
import type { SharedRepository } from "../../oci/content.ts";
import { RegistryClient, type RegistryClientOptions } from "../../registry/client.ts";
import type { Access } from "../../registry/session.ts";
import type { TestRegistry } from "./registry.ts";

/** A client that is as patient as the real one, but in milliseconds. */
export function testClient(overrides: Partial<RegistryClientOptions> = {}): RegistryClient {
  return new RegistryClient({
    ...registryDefaults,
    retry: { attempts: 4, baseMs: 1, maxMs: 5, maxWaitMs: 1500 },
    ...overrides,
  });
}

/** Where a registry is. */
type Place = Pick<TestRegistry, "host" | "url">;

/** Access to a test registry: plain HTTP where it has no TLS. */
export function testAccess(registry: Place, overrides: Partial<Access> = {}): Access {
  return { insecure: registry.url.startsWith("http:"), timeoutMs: 5000, limits: defaultLimits, ...overrides };
}

/** A repository of a test registry, through a client of its own unless one is given. */
export function testRepository(
  registry: Place,
  repository: string,
  options: Partial<Access> & { readonly client?: RegistryClient } = {},
): SharedRepository {
  const { client = testClient(), ...access } = options;
  return client.repository({ registry: registry.host, repository }, testAccess(registry, access));
}
