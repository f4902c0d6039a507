import { spawnSync } from "node:child_process";
import { toStatusError } from "../../../lib/status/index.js";
import { findInstallation } from "../up/installation-process.js";
import type { Finding } from "./finding.js";

/** Whether berth is built, and what `berth-exec --check` says line by line. */
export function checkHelper(): Finding[] {
  let helper: string;
  try {
    ({ helper } = findInstallation());
  } catch (error) {
    return [{ result: "fail", text: toStatusError(error).message }];
  }
  const { status, stdout, stderr } = spawnSync(helper, ["--check"], {
    encoding: "utf8",
  });
  const lines = `${stdout ?? ""}${stderr ?? ""}`.trimEnd().split("\n");
  return [
    { result: "ok", text: "services and berth-exec are built" },
    status === 0
      ? {
          result: "ok",
          text: "berth-exec --check: the kernel permits the sandbox",
        }
      : {
          result: "fail",
          text: "berth-exec --check: the kernel refuses what the sandbox needs",
        },
    ...lines.map((text): Finding => ({ result: "note", text: `  ${text}` })),
  ];
}
