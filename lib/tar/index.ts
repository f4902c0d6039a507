export {
  encodeTarHeader,
  type TarHeaderFields,
  tarEnd,
  tarPadding,
} from "./encode-tar-header.js";
export { quoteBytes } from "./quote-bytes.js";
export type { TarHandler, TarMember, TarMemberType } from "./tar-member.js";
export { TarReader } from "./tar-reader.js";
