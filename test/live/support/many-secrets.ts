import { namespace } from "./cluster.ts";
import type { LiveStack } from "./live-stack.ts";

const pki = "/etc/kubernetes/pki";

/** The beginning of a curl that asks the API server of a controller as the operator. */
export const curl = `curl --silent --show-error --cacert ${pki}/ca.crt --cert ${pki}/admin.crt --key ${pki}/admin.key`;

/** The Secrets of the tests' namespace, by the API server of the controller itself. */
export const secretsUrl = `https://127.0.0.1:6443/api/v1/namespaces/${namespace}/secrets`;

/** Makes many Secrets in the tests' namespace. */
export async function makeSecrets(stack: LiveStack, count: number): Promise<void> {
  await stack.machines.inside(
    "cp1",
    `${curl} --fail --parallel --parallel-max 8 --output /dev/null --header 'Content-Type: application/json' \\
      --data '{"metadata":{"generateName":"many-"},"stringData":{"what":"treasure"}}' '${secretsUrl}?number=[1-${count}]'`,
  );
}
