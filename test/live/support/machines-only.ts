/** A Pulumi program that makes a stack's machines and leaves them empty. */
import { loadSettings } from "../../../settings/load.ts";
import { refuseChanges } from "../../../settings/unchanged.ts";
import { platforms } from "../../../stacks/platforms.ts";

const settings = await loadSettings();
const { claims, machines } = platforms[settings.platform];
await machines(settings, await refuseChanges(settings, claims(settings)));
