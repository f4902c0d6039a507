import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Finding } from "./finding.js";

/** Free space below which an image of usual size may not fit, in bytes. */
const comfortableFreeBytes = 5 * 2 ** 30;

/** Whether the state folder, there or not yet, can be written and has room. */
export function checkStateFolder(state: string): Finding[] {
  let folder = state;
  while (!existsSync(folder)) folder = dirname(folder);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    const text = `"${folder}" cannot be written: choose another folder by --state`;
    return [{ result: "fail", text }];
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
