/** Network load balancers: who listens, and to whom connections go. */
import { randomBytes } from "node:crypto";
import type {
  Action,
  LoadBalancerTypeEnum,
  ProtocolEnum,
  TargetTypeEnum,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { State } from "../protocol/provider.ts";
import {
  type Failures,
  flag,
  listOf,
  object,
  oneOf,
  required,
  text,
  textThat,
  whole,
} from "../protocol/shape.ts";
import type { Properties, Value } from "../protocol/values.ts";
import { account } from "./account.ts";
import { deleteUnused, kind, unlessMissing, until } from "./kind.ts";
import { elbTags, pairs, unpaired } from "./tags.ts";

const elb = () => account().elb;
const list = (value: Value | undefined): Value[] => (value ?? []) as Value[];
const mappings = (value: Value | undefined) => list(value) as Properties[];
const strings = (value: Value | undefined): string[] => list(value).map(String);
const name = textThat(
  (value) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/.test(value),
  "up to 32 letters, digits and inner dashes",
);

const tagsOf = async (arn: string) =>
  unpaired((await elb().describeTags({ ResourceArns: [arn] })).TagDescriptions?.[0]?.Tags);

type Attributes = readonly {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}[];
const attribute = (attributes: Attributes | undefined, key: string) =>
  attributes?.find(({ Key }) => Key === key)?.Value;

/** Attributes by the names of the properties that they are of. */
const attributesOf = (inputs: Properties, keys: Readonly<Record<string, string>>) =>
  Object.entries(keys).flatMap(([property, Key]) =>
    inputs[property] === undefined ? [] : [{ Key, Value: String(inputs[property]) }],
  );

const balancerAttributes = {
  enableCrossZoneLoadBalancing: "load_balancing.cross_zone.enabled",
};

const setBalancerAttributes = async (LoadBalancerArn: string, inputs: Properties) => {
  const Attributes = attributesOf(inputs, balancerAttributes);
  if (Attributes.length > 0)
    await elb().modifyLoadBalancerAttributes({ LoadBalancerArn, Attributes });
};

const zonesOf = ({ subnetMappings }: Properties) => ({
  SubnetMappings: mappings(subnetMappings).map(({ subnetId, privateIpv4Address }) => ({
    SubnetId: String(subnetId),
    PrivateIPv4Address: privateIpv4Address as string | undefined,
  })),
});

const balancerOf = async (arn: string) =>
  (await unlessMissing(elb().describeLoadBalancers({ LoadBalancerArns: [arn] })))
    ?.LoadBalancers?.[0];

export const loadBalancer = kind({
  label: "ELBv2 network Load Balancer",
  inputs: {
    name: required(name),
    loadBalancerType: required(oneOf(["network"])),
    internal: flag,
    subnetMappings: required(
      listOf(object({ subnetId: required(text), privateIpv4Address: text })),
    ),
    securityGroups: listOf(text),
    enableCrossZoneLoadBalancing: flag,
  },
  fixed: ["name", "loadBalancerType", "internal"],
  unique: "name",
  outputs: ["arn", "dnsName"],
  tagging: elbTags,
  /** Subnets can be added only; security groups are there from the beginning or never. */
  replaces: (path, { inputs: old }: State, now) => {
    const lost = (key: string) => {
      const left = new Set(list(now[key]).map((one) => JSON.stringify(one)));
      return list(old[key]).some((one) => !left.has(JSON.stringify(one)));
    };
    if (path.startsWith("subnetMappings")) return lost("subnetMappings");
    return (
      path.startsWith("securityGroups") &&
      (list(old.securityGroups).length === 0) !== (list(now.securityGroups).length === 0)
    );
  },
  create: async (inputs, tags) => {
    const { LoadBalancers } = await elb().createLoadBalancer({
      Name: String(inputs.name),
      Type: String(inputs.loadBalancerType) as LoadBalancerTypeEnum,
      Scheme: inputs.internal === true ? "internal" : "internet-facing",
      ...zonesOf(inputs),
      ...(inputs.securityGroups !== undefined && {
        SecurityGroups: strings(inputs.securityGroups),
      }),
      ...(Object.keys(tags).length > 0 && { Tags: pairs(tags) }),
    });
    return LoadBalancers![0]!.LoadBalancerArn!;
  },
  complete: async (id, inputs, _, context) => {
    await until(
      `${id} to be active`,
      async () => {
        const state = (await balancerOf(id))?.State;
        if (state?.Code === "failed") throw new Error(String(state.Reason));
        return state?.Code === "active";
      },
      context,
    );
    await setBalancerAttributes(id, inputs);
  },
  find: async (id, properties) => {
    const found = await balancerOf(id);
    if (found === undefined) return undefined;
    const { Attributes } = await elb().describeLoadBalancerAttributes({ LoadBalancerArn: id });
    const before = mappings(properties.subnetMappings);
    const mapped = (found.AvailabilityZones ?? []).map(({ SubnetId, LoadBalancerAddresses }) => {
      // A server such as moto's does not tell the address.
      const address =
        LoadBalancerAddresses?.[0]?.PrivateIPv4Address ??
        before.find(({ subnetId }) => subnetId === SubnetId)?.privateIpv4Address;
      return { subnetId: SubnetId!, ...(address !== undefined && { privateIpv4Address: address }) };
    });
    const known = before.map(({ subnetId }) => String(subnetId));
    const place = ({ subnetId }: { readonly subnetId: string }) =>
      known.includes(subnetId) ? known.indexOf(subnetId) : known.length;
    return {
      arn: id,
      name: found.LoadBalancerName!,
      loadBalancerType: found.Type!,
      internal: found.Scheme === "internal",
      dnsName: found.DNSName ?? "",
      // AWS answers in an order of its own.
      subnetMappings: mapped.sort((one, other) => place(one) - place(other)),
      securityGroups: found.SecurityGroups ?? [],
      ...Object.fromEntries(
        Object.entries(balancerAttributes).map(([property, key]) => [
          property,
          attribute(Attributes, key) === "true",
        ]),
      ),
      tagsAll: await tagsOf(id),
    };
  },
  update: async ({ id, inputs, has }) => {
    if (has("securityGroups"))
      await elb().setSecurityGroups({
        LoadBalancerArn: id,
        SecurityGroups: strings(inputs.securityGroups),
      });
    if (has("subnetMappings")) await elb().setSubnets({ LoadBalancerArn: id, ...zonesOf(inputs) });
    if (has(...Object.keys(balancerAttributes))) await setBalancerAttributes(id, inputs);
  },
  delete: async ({ id }) => {
    await unlessMissing(elb().deleteLoadBalancer({ LoadBalancerArn: id }));
  },
});

const targetAttributes = {
  preserveClientIp: "preserve_client_ip.enabled",
  deregistrationDelay: "deregistration_delay.timeout_seconds",
  connectionTermination: "deregistration_delay.connection_termination.enabled",
};

const setTargetAttributes = async (TargetGroupArn: string, inputs: Properties) => {
  const Attributes = attributesOf(inputs, targetAttributes);
  if (Attributes.length > 0)
    await elb().modifyTargetGroupAttributes({ TargetGroupArn, Attributes });
};

const checked = ({ healthCheck }: Properties) => (healthCheck ?? {}) as Properties;

/** A check that only connects has neither a path nor codes; what is left out keeps its value, as in the real plugin. */
const conflicts = (inputs: Properties, before: Properties = {}): Failures => {
  const check = { ...before, ...checked(inputs) };
  return Object.fromEntries(
    ["path", "matcher"]
      .filter((name) => check.protocol === "TCP" && (check[name] ?? "") !== "")
      .map((name) => [
        `healthCheck.${name}`,
        `Attribute "health_check.${name}" cannot be specified when "health_check.protocol" is "TCP"`,
      ]),
  );
};

const checkOf = (inputs: Properties) => {
  const { protocol, path, port, matcher, interval, timeout, healthyThreshold, unhealthyThreshold } =
    checked(inputs) as Record<string, never>;
  return {
    HealthCheckProtocol: protocol,
    HealthCheckPath: path || undefined,
    HealthCheckPort: port,
    HealthCheckIntervalSeconds: interval,
    HealthCheckTimeoutSeconds: timeout,
    HealthyThresholdCount: healthyThreshold,
    UnhealthyThresholdCount: unhealthyThreshold,
    ...(matcher ? { Matcher: { HttpCode: matcher } } : {}),
  };
};

export const targetGroup = kind({
  label: "ELBv2 Target Group",
  inputs: {
    namePrefix: required(
      textThat(
        (value) => /^[A-Za-z0-9][A-Za-z0-9-]{0,5}$/.test(value),
        "up to 6 letters, digits and dashes",
      ),
    ),
    port: required(whole(1, 65_535)),
    protocol: required(oneOf(["TCP"])),
    targetType: oneOf(["instance", "ip"]),
    vpcId: required(text),
    preserveClientIp: oneOf(["true", "false"]),
    deregistrationDelay: whole(0, 3600),
    connectionTermination: flag,
    healthCheck: object({
      protocol: oneOf(["HTTP", "HTTPS", "TCP"]),
      path: text,
      port: text,
      matcher: text,
      interval: whole(5, 300),
      timeout: whole(2, 120),
      healthyThreshold: whole(2, 10),
      unhealthyThreshold: whole(2, 10),
    }),
  },
  fixed: ["namePrefix", "port", "protocol", "targetType", "vpcId"],
  outputs: ["arn", "name"],
  tagging: elbTags,
  refuse: (inputs) => conflicts(inputs),
  create: async (inputs, tags) => {
    const { TargetGroups } = await elb().createTargetGroup({
      Name: `${inputs.namePrefix}${randomBytes(13).toString("hex")}`,
      Port: Number(inputs.port),
      Protocol: String(inputs.protocol) as ProtocolEnum,
      TargetType: String(inputs.targetType ?? "instance") as TargetTypeEnum,
      VpcId: String(inputs.vpcId),
      ...checkOf(inputs),
      ...(Object.keys(tags).length > 0 && { Tags: pairs(tags) }),
    });
    return TargetGroups![0]!.TargetGroupArn!;
  },
  complete: setTargetAttributes,
  find: async (id) => {
    const { TargetGroups } =
      (await unlessMissing(elb().describeTargetGroups({ TargetGroupArns: [id] }))) ?? {};
    const found = TargetGroups?.[0];
    if (found === undefined) return undefined;
    const { Attributes } = await elb().describeTargetGroupAttributes({ TargetGroupArn: id });
    const delay = attribute(Attributes, targetAttributes.deregistrationDelay);
    const preserved = attribute(Attributes, targetAttributes.preserveClientIp);
    // A server such as moto's keeps what an earlier check had.
    const asks = found.HealthCheckProtocol !== "TCP";
    const check = {
      protocol: found.HealthCheckProtocol,
      path: asks ? found.HealthCheckPath : "",
      port: found.HealthCheckPort,
      matcher: asks ? found.Matcher?.HttpCode : "",
      interval: found.HealthCheckIntervalSeconds,
      timeout: found.HealthCheckTimeoutSeconds,
      healthyThreshold: found.HealthyThresholdCount,
      unhealthyThreshold: found.UnhealthyThresholdCount,
    };
    return {
      arn: id,
      name: found.TargetGroupName!,
      port: found.Port!,
      protocol: found.Protocol!,
      targetType: found.TargetType!,
      vpcId: found.VpcId!,
      ...(delay !== undefined && { deregistrationDelay: Number(delay) }),
      ...(preserved !== undefined && { preserveClientIp: preserved }),
      connectionTermination:
        attribute(Attributes, targetAttributes.connectionTermination) === "true",
      healthCheck: Object.fromEntries(
        Object.entries(check).flatMap(([key, value]) =>
          value === undefined ? [] : [[key, value]],
        ),
      ),
      tagsAll: await tagsOf(id),
    };
  },
  update: async ({ id, inputs, state, has }) => {
    const [conflict] = Object.values(conflicts(inputs, checked(state.properties)));
    if (conflict !== undefined) throw new Error(conflict);
    if (has("healthCheck"))
      await elb().modifyTargetGroup({ TargetGroupArn: id, ...checkOf(inputs) });
    if (has(...Object.keys(targetAttributes))) await setTargetAttributes(id, inputs);
  },
  delete: async ({ id }, context) => {
    await deleteUnused(id, () => elb().deleteTargetGroup({ TargetGroupArn: id }), context);
  },
});

const listened = (inputs: Properties) => ({
  Port: Number(inputs.port),
  Protocol: String(inputs.protocol) as ProtocolEnum,
  DefaultActions: (list(inputs.defaultActions) as Properties[]).map(
    ({ type, targetGroupArn }): Action => ({
      Type: type as Action["Type"],
      TargetGroupArn: String(targetGroupArn),
    }),
  ),
});

const idleTimeout = { tcpIdleTimeoutSeconds: "tcp.idle_timeout.seconds" };

const setIdleTimeout = async (ListenerArn: string, inputs: Properties) => {
  const Attributes = attributesOf(inputs, idleTimeout);
  if (Attributes.length > 0) await elb().modifyListenerAttributes({ ListenerArn, Attributes });
};

export const listener = kind({
  label: "ELBv2 Listener",
  inputs: {
    loadBalancerArn: required(text),
    port: required(whole(1, 65_535)),
    protocol: required(oneOf(["TCP"])),
    tcpIdleTimeoutSeconds: whole(60, 6000),
    defaultActions: required(
      listOf(object({ type: required(oneOf(["forward"])), targetGroupArn: required(text) })),
    ),
  },
  fixed: ["loadBalancerArn"],
  outputs: ["arn"],
  tagging: elbTags,
  create: async (inputs, tags) => {
    const { Listeners } = await elb().createListener({
      LoadBalancerArn: String(inputs.loadBalancerArn),
      ...listened(inputs),
      ...(Object.keys(tags).length > 0 && { Tags: pairs(tags) }),
    });
    return Listeners![0]!.ListenerArn!;
  },
  complete: setIdleTimeout,
  find: async (id) => {
    const { Listeners } =
      (await unlessMissing(elb().describeListeners({ ListenerArns: [id] }))) ?? {};
    const found = Listeners?.[0];
    if (found === undefined) return undefined;
    const { Attributes } = await elb().describeListenerAttributes({ ListenerArn: id });
    const seconds = attribute(Attributes, idleTimeout.tcpIdleTimeoutSeconds);
    return {
      arn: id,
      loadBalancerArn: found.LoadBalancerArn!,
      port: found.Port!,
      protocol: found.Protocol!,
      ...(seconds !== undefined && { tcpIdleTimeoutSeconds: Number(seconds) }),
      defaultActions: (found.DefaultActions ?? []).map(({ Type, TargetGroupArn }) => ({
        type: Type!,
        targetGroupArn: TargetGroupArn ?? "",
      })),
      tagsAll: await tagsOf(id),
    };
  },
  update: async ({ id, inputs, has }) => {
    if (has("port", "protocol", "defaultActions"))
      await elb().modifyListener({ ListenerArn: id, ...listened(inputs) });
    if (has("tcpIdleTimeoutSeconds")) await setIdleTimeout(id, inputs);
  },
  delete: async ({ id }) => {
    await unlessMissing(elb().deleteListener({ ListenerArn: id }));
  },
});

const registered = ({ targetGroupArn, targetId, port }: Properties) => ({
  TargetGroupArn: String(targetGroupArn),
  Targets: [{ Id: String(targetId), ...(port !== undefined && { Port: Number(port) }) }],
});

export const targetGroupAttachment = kind({
  label: "ELBv2 Target Group Attachment",
  inputs: {
    targetGroupArn: required(text),
    targetId: required(text),
    port: whole(1, 65_535),
  },
  outputs: [],
  create: async (inputs) => {
    await elb().registerTargets(registered(inputs));
    return `${inputs.targetGroupArn}-${randomBytes(13).toString("hex")}`;
  },
  find: async (_, properties) => {
    const health = await unlessMissing(elb().describeTargetHealth(registered(properties)));
    const found = health?.TargetHealthDescriptions?.find(
      ({ TargetHealth }) => TargetHealth?.Reason !== "Target.NotRegistered",
    );
    return found && { targetId: found.Target!.Id! };
  },
  delete: async ({ properties }) => {
    await unlessMissing(elb().deregisterTargets(registered(properties)));
  },
});
