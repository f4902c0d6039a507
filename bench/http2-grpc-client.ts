import { type ClientHttp2Session, connect } from "node:http2";

/** Calls one unary method with messages that are encoded already. */
export interface RawGrpcClient {
  /** The answer's message, encoded; throws for any status but OK. */
  call(message: Buffer): Promise<Buffer>;
  close(): void;
}

/**
 * A gRPC client of node:http2 alone, without anything that a load generator
 * does not need: grpc-js's own client costs more than what it measures.
 */
export function createRawGrpcClient(
  address: string,
  path: string,
): RawGrpcClient {
  // Node's default of 10 MB ends the streams of a server that falls behind.
  const session = connect(`http://${address}`, { maxSessionMemory: 1_000 });
  session.on("error", () => {}); // each call reports it
  return {
    call: (message) => call(session, path, message),
    close: () => session.destroy(),
  };
}

function call(
  session: ClientHttp2Session,
  path: string,
  message: Buffer,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    let status = "";
    stream.on("response", (headers) => {
      status = String(headers["grpc-status"] ?? "");
    });
    stream.on("trailers", (trailers) => {
      status = `${trailers["grpc-status"]} ${trailers["grpc-message"] ?? ""}`;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      // gRPC over HTTP/2: a flag byte and four bytes of length come first.
      if (status.startsWith("0")) resolve(Buffer.concat(chunks).subarray(5));
      else reject(new Error(`The call ended with status "${status}"`));
    });
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
  });
}
