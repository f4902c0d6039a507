import type { Output } from "../../image/output.js";
import type { FollowView } from "./follow-view.js";

/** A view for programs: one JSON value a line, as the API sends them. */
export function createJsonView(output: Output): FollowView {
  return {
    message: (message) => output.write(`${JSON.stringify(message)}\n`),
    note: (text) =>
      output.write(`${JSON.stringify({ kind: "notice", text })}\n`),
    end: async () => {},
  };
}
