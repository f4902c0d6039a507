/** What an archive's member is. */
export interface TarHeaderFields {
  readonly type: "file" | "directory" | "symlink";
  /** With UTF-8; a directory's ends with "/". */
  readonly path: string;
  /** Of a symlink. */
  readonly target?: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
}

const blockBytes = 512;
const nameBytes = 100;
const typeFlags = { file: "0", directory: "5", symlink: "2" } as const;

/**
 * The blocks before a member's data: a ustar header, and before it a pax one
 * where ustar cannot say it (POSIX pax, "ustar Interchange Format"). All
 * belongs to uid 0, so the same member always gives the same bytes.
 */
export function encodeTarHeader(fields: TarHeaderFields): Buffer {
  const { path, target = "", sizeBytes, mtimeSeconds } = fields;
  const records: [key: string, value: string][] = [];
  if (!fits(path)) records.push(["path", path]);
  if (!fits(target)) records.push(["linkpath", target]);
  if (sizeBytes >= 8 ** 11) records.push(["size", String(sizeBytes)]);
  const isTimeUsual = mtimeSeconds >= 0 && mtimeSeconds < 8 ** 11;
  if (!isTimeUsual) records.push(["mtime", String(mtimeSeconds)]);
  const header = encodeBlock(typeFlags[fields.type], {
    ...fields,
    sizeBytes: sizeBytes < 8 ** 11 ? sizeBytes : 0,
    mtimeSeconds: isTimeUsual ? mtimeSeconds : 0,
  });
  if (records.length === 0) return header;
  const data = Buffer.concat(records.map(([key, value]) => record(key, value)));
  const extended = encodeBlock("x", {
    path: "PaxHeaders/x",
    mode: 0o644,
    sizeBytes: data.byteLength,
    mtimeSeconds: 0,
  });
  return Buffer.concat([extended, data, tarPadding(data.byteLength), header]);
}

/** The zero bytes between a member's data and the next block. */
export function tarPadding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** The end of an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * blockBytes);

/** Names of other bytes are read in more than one way without pax. */
function fits(name: string): boolean {
  return name.length <= nameBytes && /^[\x20-\x7e]*$/.test(name);
}

function encodeBlock(
  type: string,
  fields: Omit<TarHeaderFields, "type">,
): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, offset);
  block.write(fields.path, 0, nameBytes);
  octal(fields.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(fields.sizeBytes, 124, 12);
  octal(fields.mtimeSeconds, 136, 12);
  block.write(" ".repeat(8), 148); // while the checksum is taken
  block.write(type, 156);
  block.write(fields.target ?? "", 157, nameBytes);
  block.write("ustar\x0000", 257);
  let checksum = 0;
  for (const byte of block) checksum += byte;
  block.write(`${checksum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** "<length> <key>=<value>\n", where the length counts itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`);
  let length = rest.byteLength;
  while (String(length).length + rest.byteLength !== length) {
    length = String(length).length + rest.byteLength;
  }
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
