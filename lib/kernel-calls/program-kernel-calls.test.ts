import { mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { berthExec } from "../../test/fixtures/berth-exec.js";
import { Code } from "../status/index.js";
import { createKernelCalls } from "./index.js";

const kernel = createKernelCalls(berthExec);
let folder: string;
const handles: FileHandle[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-kernel-"));
});

afterEach(async () => {
  for (const handle of handles.splice(0)) await handle.close();
  rmSync(folder, { recursive: true });
});

async function openLock(): Promise<FileHandle> {
  const handle = await open(join(folder, "lock"), "a");
  handles.push(handle);
  return handle;
}

describe("createKernelCalls()", () => {
  test("tryLockExclusive() locks for as long as the file stays open", async () => {
    const [first, second] = [await openLock(), await openLock()];
    expect(await kernel.tryLockExclusive(first.fd)).toBe(true);
    expect(await kernel.tryLockExclusive(second.fd)).toBe(false);
    await first.close();
    handles.shift();
    expect(await kernel.tryLockExclusive(second.fd)).toBe(true);
  });

  test("syncFileSystem() takes any open file", async () => {
    await kernel.syncFileSystem((await openLock()).fd);
  });

  test("peerCredentials() names the process at the other end", async () => {
    const server = createServer().listen(join(folder, "socket"));
    const accepted = new Promise<Socket>((resolve) => {
      server.once("connection", resolve);
    });
    const client = connect(join(folder, "socket"));
    const socket = await accepted;
    const { fd } = Reflect.get(socket, "_handle");
    expect(await kernel.peerCredentials(fd)).toEqual({
      pid: process.pid,
      uid: process.geteuid?.(),
      gid: process.getegid?.(),
    });
    client.destroy();
    socket.destroy();
    server.close();
  });

  test("a call fails with what the program says", async () => {
    const { fd } = await openLock();
    await expect(kernel.peerCredentials(fd)).rejects.toMatchObject({
      code: Code.Internal,
      message: expect.stringMatching(
        /^Failed to run berth-exec peercred: exit status \d+: berth-exec: /,
      ),
    });
  });

  test("a call says that the program is missing", async () => {
    const { fd } = await openLock();
    const missing = createKernelCalls("/nowhere/berth-exec");
    await expect(missing.syncFileSystem(fd)).rejects.toMatchObject({
      code: Code.NotFound,
      message:
        'Failed to start "/nowhere/berth-exec": spawn /nowhere/berth-exec ENOENT',
    });
  });
});
