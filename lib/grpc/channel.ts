import { ChannelCredentials, type ChannelOptions } from "@grpc/grpc-js";
import { withoutChannelz } from "./channelz.js";
import type { GrpcTls } from "./grpc-server.js";

/**
 * Window for streams that we read, in bytes: the default of 64 KiB halves the
 * throughput of ByteStream.Read on one machine.
 */
const flowControlWindowBytes = 4 * 2 ** 20;

/**
 * Reconnects at least this often, in milliseconds: the default backs off to
 * two minutes, in which a service that is back looks as if it were down.
 */
const maxReconnectBackoffMs = 5_000;

/** Options for a generated client. */
export function channelOptions(settings: {
  /** Larger answers are refused; unset: 4 MiB. */
  maxMessageBytes?: number;
}): ChannelOptions {
  return {
    ...withoutChannelz,
    "grpc-node.flow_control_window": flowControlWindowBytes,
    "grpc.max_reconnect_backoff_ms": maxReconnectBackoffMs,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_receive_message_length":
      settings.maxMessageBytes ?? 4 * 2 ** 20 + 65_536,
    "grpc.service_config": JSON.stringify({
      loadBalancingConfig: [{ round_robin: {} }],
    }),
  };
}

/** Credentials for a generated client: TLS where given, else plain text. */
export function channelCredentials(tls?: GrpcTls): ChannelCredentials {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(
    tls.authority ?? null,
    tls.key ?? null,
    tls.certificate ?? null,
  );
}
