import {
  address,
  cidr,
  count,
  flag,
  group,
  list,
  name,
  oneOf,
  table,
  text,
  texts,
  whole,
} from "../../settings/values.ts";
import { jumpBox, login, operatorEndpoint } from "../ssh-settings.ts";

const instanceType = text(
  (text) => /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(text),
  "not a type of instance",
  "write it like t3.small",
);
const diskGiB = whole(8, 16_384, "not a size of a disk", "use a whole number from 8 to 16384");
const size = (type: string, disk: number) =>
  group({
    instanceType: instanceType.default(type),
    diskGiB: diskGiB.default(disk),
  }).prefault({});
const ranges = list(cidr("203.0.113.7/32"));

/** The account, network, sizes and accesses of machines on EC2. */
export const awsGroup = group({
  region: text(
    (text) => /^[a-z]{2,}(-[a-z]+)+-\d+$/.test(text),
    "not a region",
    "write it like eu-central-1",
  ).default("eu-central-1"),
  /** A profile of the files of AWS's command line. */
  profile: text(
    (text) => /^\S+$/.test(text),
    "not a profile",
    "write it without blanks",
  ).optional(),
  tags: table("team: platform").transform(texts).prefault({}),
  /** By default one, the whole `machineCidr`. */
  subnets: list(
    group({
      cidr: cidr("10.240.0.0/26"),
      zone: text(
        (text) => /^[a-z]{2,}(-[a-z]+)+-\d+[a-z]$/.test(text),
        "not a zone",
        "write it like eu-central-1a",
      ).optional(),
    }),
  ).default([]),
  sshFrom: ranges.default([]),
  apiFrom: ranges.default([]),
  nodePortsFrom: ranges.default([]),
  ...login,
  jumpBox: jumpBox.optional(),
  endpoint: operatorEndpoint.optional(),
  networkLoadBalancer: group({
    addresses: list(address).default([]),
    healthCheck: oneOf(["https", "tcp"], "not a check of health").default("https"),
  }).optional(),
  image: text(
    (text) => /^ami-[0-9a-f]{8,17}$/.test(text),
    "not the id of an image",
    "write it like ami-0123456789abcdef0",
  ).optional(),
  sizes: group({
    loadBalancer: size("t3.micro", 8),
    controller: size("t3.small", 10),
    worker: size("t3.small", 20),
  }).prefault({}),
  machines: list(
    group({
      name: name("worker1"),
      /** Raised to have the machine made anew, with today's image and size. */
      generation: count.default(1),
      instanceType: instanceType.optional(),
      diskGiB: diskGiB.optional(),
    }),
  ).default([]),
  terminationProtection: flag.default(false),
}).prefault({});
