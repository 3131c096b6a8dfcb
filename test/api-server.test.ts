import assert from "node:assert/strict";
import { stringify } from "yaml";
import { kubeApiserver } from "../services/kube-apiserver.ts";
import { placed, restartingCredentials } from "../services/service.ts";
import { cluster, controllers } from "./support/facts.ts";
import { describedBy, runProgram } from "./support/program.ts";

const jwt = [
  {
    issuer: { url: "https://login.example.com", audiences: ["kubernetes"] },
    claimMappings: { username: { claim: "sub", prefix: "" } },
  },
];
const none = cluster().apiServer;
const unit = "/etc/systemd/system/kube-apiserver.service";

/** What an API server is given. */
function service(
  apiServer: Partial<typeof none>,
  differing: { readonly publishesClusterInfo?: boolean } = {},
) {
  const facts = cluster({ apiServer: { ...none, ...apiServer }, ...differing });
  const described = kubeApiserver(facts, controllers[0]!);
  const file = (path: string) => described.files.find((one) => one.path === path);
  const certificate = described.credentials?.find(({ path }) => path.endsWith("/apiserver"));
  const request =
    certificate?.origin.kind === "certificate" ? certificate.origin.request : undefined;
  return { described, file, request };
}

describe("an API server", () => {
  it("has further names and addresses in its certificate, each once, and restarts for none", () => {
    const { described, request } = service({
      certificateNames: ["api.example.com", "cp1", "192.0.2.10", "10.240.0.11"],
    });
    const before = service({});
    const added = (field: "dnsNames" | "ipAddresses") =>
      request?.[field]?.filter((one) => !before.request?.[field]?.includes(one));
    assert.deepEqual(added("dnsNames"), ["api.example.com"]);
    assert.deepEqual(added("ipAddresses"), ["192.0.2.10"]);
    assert.equal(new Set(request?.dnsNames).size, request?.dnsNames?.length);
    assert.deepEqual(placed(described), placed(before.described));
  });

  it("reads changed issuers without a restart, and is healthy once it has loaded them", () => {
    const path = "/etc/kubernetes/authentication.yaml";
    const one = service({ jwt });
    const two = service({ jwt: [...jwt, ...jwt] });
    assert.equal(one.file(path)?.live, true);
    assert.notEqual(one.file(path)?.text, two.file(path)?.text);
    assert.equal(one.file(unit)?.text, two.file(unit)?.text);
    assert.match(one.described.health ?? "", new RegExp(`sha256sum <${path}`));
    assert.equal(service({}).file(path)?.live, undefined);
    assert.doesNotMatch(service({}).described.health ?? "", /sha256/);
  });

  it("lets nobody in without credentials but to what it did before", () => {
    const text = (one: ReturnType<typeof service>) =>
      one.described.files.find(({ path }) => path.includes("/authentication"))!.text;
    const anonymous = (text: string) => text.slice(text.indexOf("anonymous:"));
    assert.equal(anonymous(text(service({ jwt }))), anonymous(text(service({}))));
    const info = { publishesClusterInfo: true };
    assert.equal(anonymous(text(service({ jwt }, info))), anonymous(text(service({}, info))));
  });

  it("restarts where others may be asked without credentials, which it does not read anew", () => {
    const flag = (one: ReturnType<typeof service>) =>
      /--authentication-config=(\S+)/.exec(one.file(unit)!.text)?.[1];
    const info = service({ jwt }, { publishesClusterInfo: true });
    assert.notEqual(flag(info), flag(service({ jwt })));
    assert.ok(info.file(flag(info)!));
    assert.equal(flag(service({}, { publishesClusterInfo: true })), flag(service({})));
  });

  it("is given an audit policy and a configuration of admission plugins", () => {
    const auditPolicy = { kind: "Policy", rules: [{ level: "None" }] };
    const admissionConfiguration = { kind: "AdmissionConfiguration", plugins: [] };
    const { file } = service({ auditPolicy, admissionConfiguration });
    assert.equal(file("/etc/kubernetes/audit-policy.yaml")?.text, stringify(auditPolicy));
    const path = "/etc/kubernetes/admission.yaml";
    assert.equal(file(path)?.text, stringify(admissionConfiguration));
    assert.ok(file(unit)?.text.includes(`--admission-control-config-file=${path}`));
    assert.ok(!service({}).file(unit)?.text.includes("admission-control-config-file"));
  });

  it("is given the kubeconfigs of webhooks as secrets, and restarts when one changes", () => {
    const { described } = service({ webhooks: ["audit"] });
    const path = "/etc/kubernetes/webhooks/audit.conf";
    const [credential] = restartingCredentials(described).filter((one) => one.path === path);
    assert.deepEqual(credential, { path, origin: { kind: "text", name: "webhook-audit" } });
  });
});

describe("the program", () => {
  const kubeconfig = (token: string) =>
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "x", cluster: { server: "https://audit.example.com" } }],
      users: [{ name: "x", user: { token } }],
      contexts: [{ name: "x", context: { cluster: "x", user: "x" } }],
      "current-context": "x",
    });
  const withToken = (token: string) =>
    runProgram({
      settings: (settings) => {
        settings.apiServer = {
          extraFlags: { "audit-webhook-config-file": "/etc/kubernetes/webhooks/audit.conf" },
          webhooks: { audit: kubeconfig(token) },
        };
      },
    });

  it("hands a webhook's kubeconfig on as a secret, and tells its change without telling it", async () => {
    const [{ graph: before }, { graph: after }] = [
      await withToken("hunter2"),
      await withToken("hunter3"),
    ];
    const bundle = JSON.stringify(before.command("cp1:control-plane-pki").inputs);
    assert.match(JSON.stringify(before.command("cp1:control-plane-pki").inputs.stdin), /secret/);
    assert.match(bundle, /hunter2/);
    const { create, update } = before.command("cp1:kube-apiserver").inputs;
    assert.doesNotMatch(`${JSON.stringify(create)} ${JSON.stringify(update)}`, /hunter/);
    assert.notDeepEqual(after.command("cp1:kube-apiserver").inputs.update, update);
    const described = describedBy(before.command("cp1:kube-apiserver"));
    assert.ok(described?.kind === "service");
    assert.ok(described.reads.includes("/etc/kubernetes/webhooks/audit.conf"));
  });
});
