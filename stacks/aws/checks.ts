import type { z } from "zod";
import { room } from "../../services/room.ts";
import type { Subject } from "../../settings/checks/subject.ts";
import type { Sound } from "../../settings/draft.ts";
import type { Draft } from "../../settings/schema.ts";
import type { awsGroup } from "./settings.ts";

type AwsSubject = Subject<Draft & Sound<{ aws: z.output<typeof awsGroup> }>>;

/** The mistakes of settings for machines on EC2. */
export function check(_subject: AwsSubject): string[] {
  void room;
  return [];
}
