import { Digest } from "../../../lib/digest/index.js";
import type { CasReader } from "../cas-reader.js";
import type { ActionRouting } from "./action-routing.js";

/**
 * Routing without a router: actions are executed as they are. A platform that
 * stands only in the command, as some clients have it, counts.
 */
export function createDirectActionRouting(reader: CasReader): ActionRouting {
  return {
    route: async ({ action, instanceName, requestMetadata, signal }) => {
      const commandDigest = Digest.fromProto(
        action.commandDigest,
        "command_digest",
      );
      const context = { instanceName, signal };
      const command = await reader.command(commandDigest, context);
      const platform = action.platform ??
        command.platform ?? { properties: [] };
      return {
        action: { ...action, platform },
        commandDigest,
        invocationKeys: [requestMetadata?.toolInvocationId ?? ""],
        isRewritten: false,
        nestedInputRoot: undefined,
      };
    },
  };
}
