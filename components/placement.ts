import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { derive } from "../node/derive.ts";
import type { BundleFile, Host } from "../node/host.ts";
import {
  type Credential,
  placed,
  restartingCredentials,
  type Service,
} from "../services/service.ts";
import type { Certificate, Issuer } from "./certificate-authority.ts";
import type { Authority, CertificateRequest } from "./pki.ts";

/** The keys of service-account tokens, PEM. */
export interface ServiceAccountKey {
  /** The public keys by which tokens are verified, one after another. */
  readonly trustedPem: pulumi.Output<string>;
  /** The key that signs tokens, a secret. */
  readonly signingPem: pulumi.Output<string>;
  /** The public half of the signing key. */
  readonly signingPublicPem: pulumi.Output<string>;
}

/** The authorities and keys that credentials are made of. */
export interface Sources {
  readonly authorities: Readonly<
    Partial<
      Record<
        Authority,
        Issuer & {
          readonly keyPem?: pulumi.Output<string>;
          readonly signerPem?: pulumi.Output<string>;
        }
      >
    >
  >;
  readonly serviceAccountKey?: ServiceAccountKey;
}

/** Texts that a component makes for a machine, by the names under which services list them. */
export type Texts = Readonly<Record<string, pulumi.Input<string>>>;

/** Puts the services of one component on hosts, with the credentials that they list. */
export class Placement {
  readonly #parent: pulumi.Resource;
  readonly #sources: Sources;
  readonly #issued = new Map<string, Certificate>();

  constructor(parent: pulumi.Resource, sources: Sources = { authorities: {} }) {
    this.#parent = parent;
    this.#sources = sources;
  }

  /** The certificate of a request, issued once for all machines that hold it. */
  certificate(request: CertificateRequest): Certificate {
    const issued =
      this.#issued.get(request.name) ??
      this.#authority(request.ca).issue(request, { parent: this.#parent });
    this.#issued.set(request.name, issued);
    return issued;
  }

  /** Puts the credentials of services on a host, all at the same instant. */
  bundle(
    host: Host,
    name: string,
    services: readonly Service[],
    texts: Texts = {},
    dependsOn: readonly pulumi.Resource[] = [],
  ): pulumi.Resource {
    const files = new Map<string, BundleFile>();
    for (const credential of services.flatMap(({ credentials = [] }) => credentials))
      if (!credential.elsewhere)
        for (const file of this.#files(credential, texts))
          if (!files.has(file.path)) files.set(file.path, file);
    const stores = services.flatMap(({ credentialStore }) => credentialStore ?? []);
    return host.bundle(
      {
        name,
        users: stores.flatMap(({ users = [] }) => users),
        directories: stores.flatMap(({ directories = [] }) => directories),
        data: stores.flatMap(({ data = [] }) => data),
        files: [...files.values()],
      },
      { parent: this.#parent, dependsOn },
    );
  }

  /** Puts a service on a host and starts the service; a change of a restarting credential restarts the service. */
  service(
    host: Host,
    service: Service,
    opts: {
      readonly dependsOn?: readonly pulumi.Input<pulumi.Resource>[];
      readonly texts?: Texts;
      readonly waits?: boolean;
    },
  ): pulumi.Resource {
    return host.service(placed(service), {
      parent: this.#parent,
      dependsOn: [host.ready, ...(opts.dependsOn ?? [])],
      certificates: restartingCredentials(service).map((credential) =>
        this.#publicPart(credential, opts.texts ?? {}),
      ),
      ...(opts.waits && { waits: true }),
    });
  }

  #files({ path, origin, owner, mode = "0600" }: Credential, texts: Texts): BundleFile[] {
    const owned = owner === undefined ? {} : { owner };
    switch (origin.kind) {
      case "certificate": {
        const { certPem, keyPem } = this.certificate(origin.request);
        return [
          { path: `${path}.crt`, text: certPem },
          { path: `${path}.key`, text: keyPem, mode: "0600", ...owned },
        ];
      }
      case "authority":
        return [{ path, text: this.#authority(origin.authority).certPem }];
      case "signer":
        return [{ path, text: this.#signer(origin.authority) }];
      case "authorityKey":
        return [{ path, text: this.#authorityKey(origin.authority), mode: "0600" }];
      case "trust":
        return [{ path, text: this.#authority(origin.authority).trustPem }];
      case "serviceAccountKey": {
        const { trustedPem, signingPem } = this.#serviceAccountKey();
        return origin.half === "public"
          ? [{ path, text: trustedPem }]
          : [{ path, text: signingPem, mode: "0600" }];
      }
      case "text":
        return [{ path, text: this.#text(origin.name, texts), mode, ...owned }];
      default:
        return origin satisfies never;
    }
  }

  /** A public value that changes together with a credential. */
  #publicPart({ origin }: Credential, texts: Texts): pulumi.Output<string> {
    switch (origin.kind) {
      case "certificate":
        return this.certificate(origin.request).certPem;
      case "authority":
        return this.#authority(origin.authority).certPem;
      case "signer":
      case "authorityKey":
        return this.#signer(origin.authority);
      case "trust":
        return this.#authority(origin.authority).trustPem;
      case "serviceAccountKey": {
        const { trustedPem, signingPublicPem } = this.#serviceAccountKey();
        return origin.half === "public" ? trustedPem : signingPublicPem;
      }
      case "text":
        return this.#hashOf(this.#text(origin.name, texts));
      default:
        return origin satisfies never;
    }
  }

  /** The hash of a text and of a random key, in the text or beside it: so the hash does not give the text away. */
  #hashOf(text: pulumi.Input<string>): pulumi.Output<string> {
    const key = this.#sources.serviceAccountKey?.signingPem;
    const hashed: readonly pulumi.Input<string>[] = key === undefined ? [text] : [text, key];
    return pulumi.unsecret(
      derive(hashed, (...texts) => createHash("sha256").update(texts.join("")).digest("hex")),
    );
  }

  #authority(name: Authority) {
    return present(this.#sources.authorities[name], name);
  }

  #signer(name: Authority): pulumi.Output<string> {
    return present(this.#authority(name).signerPem, `the signer of ${name}`);
  }

  #authorityKey(name: Authority): pulumi.Output<string> {
    return present(this.#authority(name).keyPem, `the key of ${name}`);
  }

  #serviceAccountKey() {
    return present(this.#sources.serviceAccountKey, "the service-account key");
  }

  #text(name: string, texts: Texts): pulumi.Input<string> {
    return present(texts[name], name);
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`a service lists ${what}, which its component lacks`);
  return value;
}
