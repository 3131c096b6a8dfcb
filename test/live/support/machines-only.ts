/** A Pulumi program that makes a stack's machines and leaves them empty. */
import { loadSettings } from "../../../settings/settings.ts";
import { makeMachines } from "../../../stacks/platform.ts";

makeMachines(await loadSettings());
