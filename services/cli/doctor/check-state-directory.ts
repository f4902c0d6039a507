import {
  accessSync,
  constants,
  existsSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Finding } from "./finding.js";

/** Free space below which an image of usual size may not fit, in bytes. */
const comfortableFreeBytes = 5 * 2 ** 30;

/** File systems without files of ours: /proc and /sys (statfs(2)). */
const unwritable = new Set([0x9fa0, 0x62656572]);

/** Whether the state folder, there or not yet, can be written and has room. */
export function checkStateFolder(state: string): Finding[] {
  let folder = state;
  while (!existsSync(folder)) folder = dirname(folder);
  const refuse = (what: string): Finding[] => [
    {
      result: "fail",
      text: `"${folder}" ${what}: choose another folder by --state`,
    },
  ];
  if (!statSync(folder).isDirectory()) return refuse("is no folder");
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return refuse("cannot be written");
  }
  // Root may write anywhere, as far as access(2) knows.
  if (unwritable.has(statfsSync(folder).type)) {
    return refuse("is of the kernel, where no files can be made");
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const room = `${(free / 2 ** 30).toFixed(1)} GiB free at "${folder}"`;
  return [
    { result: "ok", text: `state folder "${state}" can be written` },
    free >= comfortableFreeBytes
      ? { result: "ok", text: room }
      : { result: "note", text: `${room}: large images may not fit` },
  ];
}
