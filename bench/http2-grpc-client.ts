import { connect } from "node:net";

/** Calls one unary method with messages that are encoded already. */
export interface RawGrpcClient {
  /**
   * The answer's message, encoded. Throws for an answer without one: a server
   * that refuses a unary call sends its status alone.
   */
  call(message: Buffer): Promise<Buffer>;
  close(): void;
}

/** The frames of HTTP/2 that matter here (RFC 9113, section 6). */
const frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6 } as const;
const goAway = 7;
const windowUpdate = 8;

const flag = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** What we let the server send before we take note: more than any run. */
const receiveWindowBytes = 2 ** 31 - 1;

/** What either side may send at first (RFC 9113, section 6.9.2). */
const initialWindowBytes = 65_535;

interface PendingCall {
  resolve(message: Buffer): void;
  reject(error: Error): void;
  readonly chunks: Buffer[];
}

/**
 * A gRPC client of bare HTTP/2 frames over a socket: a load generator that
 * costs a tenth of grpc-js's client, and leaves the machine to what it
 * measures. It reads no headers, so it knows no statuses.
 */
export function createRawGrpcClient(
  address: string,
  path: string,
): RawGrpcClient {
  const [host, port] = address.split(":");
  const socket = connect({ host, port: Number(port), noDelay: true });
  const headers = requestHeaders(address, path);
  const pending = new Map<number, PendingCall>();
  const unsent: { stream: number; message: Buffer }[] = [];
  let sendWindow = initialWindowBytes;
  let nextStream = 1;
  let rest: Buffer = Buffer.alloc(0);

  function fail(error: Error): void {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  }

  function flush(): void {
    for (let next = unsent[0]; next !== undefined; next = unsent[0]) {
      if (next.message.length > sendWindow) return;
      sendWindow -= next.message.length;
      unsent.shift();
      send(next.stream, next.message);
    }
  }

  function send(stream: number, message: Buffer): void {
    socket.cork();
    socket.write(frameOf(frame.headers, flag.endHeaders, stream, headers));
    socket.write(frameOf(frame.data, flag.endStream, stream, message));
    // What one turn of the event loop sends goes out by one system call.
    process.nextTick(() => socket.uncork());
  }

  function receive(type: number, flags: number, stream: number, body: Buffer) {
    const call = pending.get(stream);
    if (type === frame.settings && (flags & flag.ack) === 0) {
      socket.write(frameOf(frame.settings, flag.ack, 0, Buffer.alloc(0)));
    } else if (type === frame.ping && (flags & flag.ack) === 0) {
      socket.write(frameOf(frame.ping, flag.ack, 0, body));
    } else if (type === windowUpdate && stream === 0) {
      sendWindow += body.readUInt32BE(0);
      flush();
    } else if (type === goAway) {
      fail(new Error("The server ends the connection"));
    } else if (type === frame.reset) {
      pending.delete(stream);
      call?.reject(new Error("The server reset the call"));
    } else if (type === frame.data) call?.chunks.push(body);
    else if (type === frame.headers && (flags & flag.endStream) !== 0) {
      pending.delete(stream);
      // gRPC over HTTP/2: a flag byte and four bytes of length come first.
      const message = Buffer.concat(call?.chunks ?? []).subarray(5);
      if (message.length > 0) call?.resolve(message);
      else call?.reject(new Error("The call ended without an answer"));
    }
  }

  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frameOf(frame.settings, 0, 0, clientSettings()));
  const increment = receiveWindowBytes - initialWindowBytes;
  socket.write(frameOf(windowUpdate, 0, 0, uint32(increment)));
  socket.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= 9) {
      const end = 9 + rest.readUIntBE(0, 3);
      if (rest.length < end) return;
      const [type = 0, flags = 0] = rest.subarray(3, 5);
      receive(type, flags, rest.readUInt32BE(5), rest.subarray(9, end));
      rest = rest.subarray(end);
    }
  });
  socket.on("error", fail);
  socket.on("close", () => fail(new Error("The connection ended")));
  return {
    call: (message) =>
      new Promise((resolve, reject) => {
        if (!socket.writable) return reject(new Error("The connection ended"));
        const stream = nextStream;
        nextStream += 2;
        pending.set(stream, { resolve, reject, chunks: [] });
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(message.length, 1);
        unsent.push({ stream, message: Buffer.concat([prefix, message]) });
        flush();
      }),
    close: () => socket.destroy(),
  };
}

function frameOf(
  type: number,
  flags: number,
  stream: number,
  body: Buffer,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** INITIAL_WINDOW_SIZE alone (RFC 9113, section 6.5.2). */
function clientSettings(): Buffer {
  return Buffer.concat([Buffer.from([0, 4]), uint32(receiveWindowBytes)]);
}

/** Headers of every call, in HPACK without Huffman or table (RFC 7541). */
function requestHeaders(authority: string, path: string): Buffer {
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  return Buffer.from([
    ...[0x83, 0x86], // ":method: POST" and ":scheme: http" of the static table
    ...[0x04, ...text(path)],
    ...[0x01, ...text(authority)],
    ...[0x0f, 0x10, ...text("application/grpc")], // "content-type"
    ...[0x00, ...text("te"), ...text("trailers")],
  ]);
}
