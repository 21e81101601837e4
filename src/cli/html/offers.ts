import { parseAccess } from "../../component/access.ts";
import { selectorFor } from "../../component/identity.ts";
import { messageOf } from "../../errors.ts";
import type { ExploredComponent, ResourceEntry } from "../../explore/component.ts";
import { consumerOfResource } from "./consumer.ts";
import type { PageResource } from "./model.ts";

/** A resource with what a pick of it writes, or why it cannot be picked. */
export interface Offer {
  readonly entry: ResourceEntry;
  readonly resource?: PageResource;
  readonly why?: string;
}

/** Every resource of the component version, in its order. */
export function resourceOffers(component: ExploredComponent | undefined): Offer[] {
  if (component === undefined || "problem" in component) return [];
  const identified = component.resources.map(withExtra);
  return component.resources.map((entry, at) => {
    const selector = selectorFor(identified[at]!, identified);
    if (selector === undefined) return { entry, why: "its identity does not tell it from the others" };
    const why = unreadable(entry);
    return why === undefined
      ? { entry, resource: { selector, consumer: consumerOfResource(entry.type) } }
      : { entry, why };
  });
}

function withExtra({ name, version, extraIdentity = {} }: ResourceEntry) {
  return { name, version, extraIdentity };
}

function unreadable({ name, access }: ResourceEntry): string | undefined {
  try {
    parseAccess(access, name);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
