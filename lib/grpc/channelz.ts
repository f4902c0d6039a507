/**
 * Option of servers and channels. Channelz is grpc-js's own bookkeeping of
 * each call and socket, which costs at every call, and nobody can ask for it
 * as the service is not served.
 */
export const withoutChannelz = { "grpc.enable_channelz": 0 } as const;
