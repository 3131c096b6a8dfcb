import { yaml } from "./yaml.ts";

/** The cluster, the API server and the user that a kubeconfig names. */
export interface Kubeconfig {
  readonly cluster: string;
  readonly server: string;
  /** User name in the file; the API server takes the real one from the certificate. */
  readonly user: string;
}

/** A kubeconfig that names the files of its CA, certificate and key. */
export function kubeconfigWithFiles(
  to: Kubeconfig,
  files: { readonly ca: string; readonly cert: string; readonly key: string },
): string {
  return kubeconfig(
    to,
    { "certificate-authority": files.ca },
    { "client-certificate": files.cert, "client-key": files.key },
  );
}

/** A kubeconfig that holds CA, certificate and key itself, all PEM. */
export function kubeconfigWithData(
  to: Kubeconfig,
  pem: { readonly ca: string; readonly cert: string; readonly key: string },
): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return kubeconfig(
    to,
    { "certificate-authority-data": base64(pem.ca) },
    { "client-certificate-data": base64(pem.cert), "client-key-data": base64(pem.key) },
  );
}

/** A kubeconfig that names the file of its CA and holds a token. */
export function kubeconfigWithToken(
  to: Kubeconfig,
  { ca, token }: { readonly ca: string; readonly token: string },
): string {
  return kubeconfig(to, { "certificate-authority": ca }, { token });
}

/** A kubeconfig that names the files of its CA and its token. */
export function kubeconfigWithTokenFile(
  to: Kubeconfig,
  files: { readonly ca: string; readonly token: string },
): string {
  return kubeconfig(to, { "certificate-authority": files.ca }, { tokenFile: files.token });
}

function kubeconfig(
  { cluster, server, user }: Kubeconfig,
  ca: object,
  credentials: object,
): string {
  const context = `${user}@${cluster}`;
  return yaml({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: cluster, cluster: { ...ca, server } }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name: context, context: { cluster, user } }],
    "current-context": context,
  });
}
