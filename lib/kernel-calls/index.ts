export {
  createKernelCalls,
  type KernelCalls,
  type PeerCredentials,
} from "./program-kernel-calls.js";
