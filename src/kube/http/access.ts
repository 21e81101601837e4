/** What a connection is made with, as of now. Certificates and keys are PEM. */
export interface Material {
  /** Trusted instead of the system's authorities. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Value of the Authorization header. */
  readonly authorization?: string | undefined;
}

/** An API server and how to get in. */
export interface KubeAccess {
  /** May have a path, below which the API is. */
  readonly server: URL;
  /** The namespace of the current context. */
  readonly namespace: string;
  /** The name that the server's certificate has to be for, where it is not the server's own. */
  readonly serverName?: string | undefined;
  readonly proxy?: URL | undefined;
  /** The server's certificate is not checked: by the kubeconfig's wish, and with a warning. */
  readonly unverified?: boolean | undefined;
  /** Reads files and asks plugins anew; `refused`: the server did not take what was given last. */
  readonly load: (refused: boolean) => Promise<Material>;
}
