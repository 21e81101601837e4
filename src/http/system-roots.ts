import { getCACertificates, setDefaultCACertificates } from "node:tls";

let isDone = false;

/**
 * Makes this process trust the system's certificates besides those that Node brings: a company's are often only there. To be
 * called before the first TLS connection to somebody else's server, and not earlier: reading them takes 60 ms and 14 MB.
 */
export function trustSystemRoots(): void {
  if (isDone) return;
  isDone = true;
  setDefaultCACertificates([...new Set([...getCACertificates("default"), ...getCACertificates("system")])]);
}
