import type { Operation } from "../operation.js";

/** Reads the client's Command, for the operations that rewrite it. */
export const loadCommand: Operation = async (routed) => ({
  ...routed,
  command: await routed.loadCommand(),
});
