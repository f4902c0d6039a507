import { z } from "zod";

const absolutePath = z
  .string()
  .refine((path) => path.startsWith("/"), "must be an absolute path");

/** The password has a file of its own: URLs stand in logs. */
const redisUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, password, search } = new URL(text);
  const isAddress =
    protocol === "unix:"
      ? pathname.length > 1
      : /^rediss?:$/.test(protocol) &&
        hostname !== "" &&
        /^\/?\d{0,4}$/.test(pathname);
  return isAddress && password === "" && search === "";
}, 'must be "redis://[user@]host[:port][/database]", the same with rediss:// for TLS, or "unix:///path", and hold no password: it is read from passwordFile');

/** Where jobs are kept. */
export const storeConfigurationSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("sqlite"),
    /** The file; on a local disk, since it is locked. */
    path: z.union([absolutePath, z.literal(":memory:")]),
  }),
  z.strictObject({
    kind: z.literal("redis"),
    url: redisUrl,
    /** Before the names of all keys; one process at a time may use it. */
    prefix: z
      .string()
      .regex(
        /^[\x21-\x7e]{1,100}$/,
        "must be 1 to 100 visible ASCII characters",
      )
      .default("berth:"),
    /** A file with the password; a line feed at its end does not count. */
    passwordFile: absolutePath.optional(),
    /** Certificates (PEM) that are believed, instead of the system's. */
    caFile: absolutePath.optional(),
  }),
]);

/** See storeConfigurationSchema. */
export type StoreConfiguration = z.output<typeof storeConfigurationSchema>;
