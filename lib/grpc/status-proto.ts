import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { Status } from "#proto/google/rpc/status.js";
import { codeFromNumber, StatusError } from "../status/index.js";

/** The trailer in which gRPC carries a google.rpc.Status. */
const detailsTrailer = "grpc-status-details-bin";

/** The error as a google.rpc.Status message. */
export function statusToProto(error: StatusError): Status {
  return {
    code: error.code,
    message: error.message,
    details: error.details.map(({ typeUrl, value }) => ({
      typeUrl,
      value: Buffer.from(value),
    })),
  };
}

/** The error that a google.rpc.Status from a peer says. */
export function statusFromProto(status: Status): StatusError {
  return new StatusError(codeFromNumber(status.code), status.message, {
    details: status.details.map(({ typeUrl, value }) => ({ typeUrl, value })),
  });
}

/** The error as grpc-js sends it: code, text, and details as a trailer. */
export function statusToGrpc(error: StatusError): Partial<StatusObject> {
  const metadata = new Metadata();
  if (error.details.length > 0) {
    const encoded = Status.encode(statusToProto(error)).finish();
    metadata.set(detailsTrailer, Buffer.from(encoded));
  }
  return { code: error.code, details: error.message, metadata };
}

/** The error that a call through grpc-js ended with, details included. */
export function statusFromGrpc(error: StatusObject): StatusError {
  const [encoded] = error.metadata.get(detailsTrailer);
  const cause = { cause: error };
  if (!Buffer.isBuffer(encoded)) {
    return new StatusError(codeFromNumber(error.code), error.details, cause);
  }
  try {
    const { details } = Status.decode(encoded);
    return new StatusError(codeFromNumber(error.code), error.details, {
      ...cause,
      details,
    });
  } catch {
    // A trailer that does not parse says nothing; code and text still count.
    return new StatusError(codeFromNumber(error.code), error.details, cause);
  }
}
