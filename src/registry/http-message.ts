import type { Readable } from "node:stream";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Headers = Readonly<Record<string, string>>;

/** The answer of a registry, or of another server that it has named. */
export interface HttpResponse {
  readonly status: number;
  /** Values of a repeated header are joined by commas. */
  header(name: string): string | undefined;
  readonly body: Readable;
  /** After redirects. */
  readonly url: URL;
  /** For messages: method and URL, without the query. */
  readonly name: string;
}
