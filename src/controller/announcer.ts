import { SOURCE_API_VERSION } from "../../api/flux/source.ts";
import { API_VERSION, GROUP, KIND } from "../../api/v1beta1/constants.ts";
import type { EventRecorder, ObjectReference } from "../kube/report/events.ts";
import type { Notifier } from "../kube/report/notification.ts";
import { publishWanted, type Identified } from "../pipeline/object.ts";
import type { Announcer } from "./ports.ts";

/** Events for `kubectl describe` and, where there is a notifier, for Flux's alerts. */
export function announcer(recorder: EventRecorder, notifier: Notifier | undefined): Announcer {
  return {
    event: (owner, { type, reason, message, metadata = {} }) => {
      const object = referenceTo(owner);
      const annotations = Object.fromEntries(
        Object.entries(metadata).map(([key, value]) => [`${GROUP}/${key}`, value]),
      );
      recorder.record(object, { type, reason, message, annotations });
      // An Alert can name only Flux's own kinds.
      notifier?.send({
        object: companionOf(owner),
        severity: type === "Normal" ? "info" : "error",
        reason,
        message,
        metadata,
        annotations: owner.object.metadata.annotations ?? {},
      });
    },
  };
}

function companionOf(owner: Identified): ObjectReference {
  return {
    apiVersion: SOURCE_API_VERSION,
    kind: publishWanted(owner.object.spec).externalArtifact ? "ExternalArtifact" : "OCIRepository",
    ...owner.key,
  };
}

function referenceTo({ key, uid }: Identified): ObjectReference {
  return { apiVersion: API_VERSION, kind: KIND, ...key, uid };
}
