/** What a server of images asks for and is known by. */
interface Server {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The certificates, PEM, by which the server is verified besides those that the machine trusts. */
  readonly authority?: string | undefined;
}

/** A registry of images as machines reach it. */
export interface Registry extends Server {
  /** The beginning of the names of its images, such as registry.example.com:5000. */
  readonly host: string;
  /** Servers that are asked before the registry itself, in this order. */
  readonly mirrors: readonly (Server & { readonly url: string })[];
}

/** A file of a registry. */
interface RegistryFile {
  readonly path: string;
  /** A secret, where the registry or a mirror has a password. */
  readonly text: string;
}

/**
 * The files by which containerd finds a registry's mirrors, credentials and authorities; containerd reads them at each pull:
 * https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export function registryFiles({ host, mirrors, ...own }: Registry): RegistryFile[] {
  const folder = `/etc/containerd/certs.d/${host}`;
  const certificates: RegistryFile[] = [];
  const lines = (server: Server, name: string, table: string) => {
    const { authority, password, username } = server;
    if (authority !== undefined) {
      certificates.push({ path: `${folder}/${name}.crt`, text: authority });
    }
    return [
      ...(authority === undefined ? [] : [`ca = "${folder}/${name}.crt"`]),
      ...(password === undefined
        ? []
        : ["", `[${table}]`, `Authorization = "${basic(`${username}:${password}`)}"`]),
    ];
  };
  const text = [
    ...lines(own, "registry", "header"),
    ...mirrors.flatMap(({ url, ...mirror }, index) => {
      const table = `host."${url}"`;
      return [
        "",
        `[${table}]`,
        'capabilities = ["pull", "resolve"]',
        // Else containerd would add /v2 to the path.
        ...(new URL(url).pathname === "/" ? [] : ["override_path = true"]),
        ...lines(mirror, `mirror${index + 1}`, `${table}.header`),
      ];
    }),
    "",
  ].join("\n");
  return [{ path: `${folder}/hosts.toml`, text: text.trimStart() }, ...certificates];
}

/** https://www.rfc-editor.org/rfc/rfc7617 */
function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}
