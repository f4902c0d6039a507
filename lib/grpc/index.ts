export {
  type CallSettings,
  callServerStream,
  callUnary,
  type StreamMethod,
  type UnaryMethod,
} from "./call.js";
export { channelCredentials, channelOptions } from "./channel.js";
export { encodeMessage } from "./encode-message.js";
export {
  type GrpcServer,
  type GrpcService,
  type GrpcTls,
  serveGrpc,
} from "./grpc-server.js";
export {
  type CallContext,
  type ErrorSink,
  implementClientStream,
  implementServerStream,
  implementUnary,
} from "./implement.js";
export {
  grpcAddress,
  readTls,
  type TlsPaths,
  tlsPaths,
} from "./peer-configuration.js";
export { statusFromProto, statusToProto } from "./status-proto.js";
