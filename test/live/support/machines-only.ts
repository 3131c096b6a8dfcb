/** A Pulumi program that makes a stack's machines and leaves them empty. */
import { loadSettings } from "../../../settings/load.ts";
import { refuseChanges } from "../../../settings/unchanged.ts";
import { platforms } from "../../../stacks/platforms.ts";

const settings = await loadSettings();
const platform = platforms[settings.platform];
const records = await refuseChanges(
  settings,
  platform.claims(settings),
  platform.unchanging(settings),
);
await platform.machines(settings, records, new Map());
